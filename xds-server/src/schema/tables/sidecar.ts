import { checkServerTls, checkSidecar } from '../checks/sidecar.ts';
import { ignored, list, mapOf, message, required, supported } from '../message.ts';
import type { ServerTls, SidecarEgress, SidecarIngress, SidecarPort, SidecarSpec } from '../spec/sidecar.ts';
import { ip, isDnsLabel, isWildcardHost, labelValue, wrongLabelName } from '../syntax.ts';
import { nonEmptyText, portNumber, text, textThat, word } from '../type.ts';
import { connectionPool } from './destination-rule.ts';
import { outboundTrafficPolicy } from './mesh-config.ts';

const port = message<SidecarPort>({
  number: required(portNumber),
  protocol: supported(text()),
  name: supported(text()),
});

/** Istio validateNamespaceSlashWildcardHostname. */
const egressHost = textThat('namespace/host, with "." or "*" or "~" for the namespace and "*" in the host', (value) => {
  const [namespace = '', host, ...more] = value.split('/');
  if (host === undefined || more.length > 0) return true;
  if (!['.', '*', '~'].includes(namespace) && !isDnsLabel(namespace)) return true;
  return !isWildcardHost(host);
});

const NO_CAPTURE = 'nothing is captured: calls begin inside the application';

const NO_INBOUND_CAPTURE = 'nothing is captured: the application itself listens';

const egress = message<SidecarEgress>({
  port: supported(port),
  bind: ignored(text(), NO_CAPTURE),
  captureMode: ignored(text(), NO_CAPTURE, 'DEFAULT'),
  hosts: required(list(egressHost)),
});

const protocolVersion = word('TLS_AUTO', 'TLSV1_0', 'TLSV1_1', 'TLSV1_2', 'TLSV1_3');

const serverTls = message<ServerTls>(
  {
    mode: required(word('SIMPLE', 'MUTUAL', 'OPTIONAL_MUTUAL')),
    serverCertificate: supported(nonEmptyText),
    privateKey: supported(nonEmptyText),
    caCertificates: supported(nonEmptyText),
    caCrl: supported(nonEmptyText),
    subjectAltNames: supported(list(text())),
    credentialName: supported(nonEmptyText),
    verifyCertificateSpki: supported(list(text())),
    verifyCertificateHash: supported(list(text())),
    minProtocolVersion: supported(protocolVersion),
    maxProtocolVersion: supported(protocolVersion),
    cipherSuites: supported(list(text())),
  },
  {
    others: {
      httpsRedirect: { kind: 'ignored', because: 'the port speaks TLS alone' },
      caCertCredentialName: { kind: 'ignored', because: 'roots come with credentialName, or from caCertificates' },
    },
    check: checkServerTls,
  },
);

/** `IP:PORT` or a socket's path (Istio validateSidecarIngressPortAndBind). */
const endpoint = textThat(
  '127.0.0.1:PORT, 0.0.0.0:PORT, [::1]:PORT, [::]:PORT or unix:///PATH',
  (value) => !/^((127\.0\.0\.1|0\.0\.0\.0|\[::1?\]):[1-9]\d{0,4}|unix:\/\/\/.+)$/.test(value),
);

const ingress = message<SidecarIngress>({
  port: required(port),
  bind: supported(ip),
  captureMode: ignored(text(), NO_INBOUND_CAPTURE, 'DEFAULT'),
  defaultEndpoint: supported(endpoint),
  connectionPool: supported(connectionPool),
  tls: supported(serverTls),
});

export const sidecar = message<SidecarSpec>(
  {
    workloadSelector: supported(
      message<NonNullable<SidecarSpec['workloadSelector']>>({
        labels: supported(mapOf(labelValue, wrongLabelName)),
      }),
    ),
    egress: supported(list(egress)),
    ingress: supported(list(ingress)),
    inboundConnectionPool: supported(connectionPool),
    outboundTrafficPolicy: supported(outboundTrafficPolicy),
  },
  { check: checkSidecar },
);
