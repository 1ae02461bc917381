import { checkSidecar } from '../checks/sidecar.ts';
import { ignored, later, list, mapOf, message, required, supported } from '../message.ts';
import type { SidecarEgress, SidecarIngress, SidecarPort, SidecarSpec } from '../spec/sidecar.ts';
import { isDnsLabel, isWildcardHost, labelValue, wrongLabelName } from '../syntax.ts';
import { portNumber, text, textThat } from '../type.ts';
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

const egress = message<SidecarEgress>({
  port: supported(port),
  bind: ignored(text(), NO_CAPTURE),
  captureMode: ignored(text(), NO_CAPTURE, 'DEFAULT'),
  hosts: required(list(egressHost)),
});

const ingress = message<SidecarIngress>({
  port: required(port),
  bind: supported(text()),
  captureMode: supported(text()),
  defaultEndpoint: supported(text()),
  connectionPool: supported(connectionPool),
});

export const sidecar = message<SidecarSpec>(
  {
    workloadSelector: supported(
      message<NonNullable<SidecarSpec['workloadSelector']>>({
        labels: supported(mapOf(labelValue, wrongLabelName)),
      }),
    ),
    egress: supported(list(egress)),
    ingress: later(list(ingress)),
    inboundConnectionPool: later(connectionPool),
    outboundTrafficPolicy: supported(outboundTrafficPolicy),
  },
  { check: checkSidecar },
);
