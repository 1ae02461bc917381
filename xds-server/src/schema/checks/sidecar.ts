import type { Place } from '../place.ts';
import type { ServerTls, SidecarIngress, SidecarSpec } from '../spec/sidecar.ts';

/** Istio ValidateSidecar. */
export const checkSidecar = (spec: SidecarSpec, place: Place): void => {
  const ports = new Set<number>();
  for (const [index, { port, hosts }] of spec.egress.entries()) {
    const at = place.in('egress', index);
    if (hosts.length === 0) at.at('hosts').error('want at least one namespace/host');
    if (port === undefined) {
      // It would take the calls of every entry behind it.
      if (index < spec.egress.length - 1) at.error('an entry without a port must be the last one');
      continue;
    }
    if (ports.has(port.number)) at.in('port', 'number').error(`${port.number} is listed twice`);
    ports.add(port.number);
  }
  checkIngress(spec.ingress, place);
  if (spec.workloadSelector !== undefined && spec.workloadSelector.labels.size === 0) {
    place.at('workloadSelector').warn('without labels it selects the whole namespace, leave it out');
  }
};

const checkIngress = (ingress: readonly SidecarIngress[], place: Place): void => {
  const ports = new Set<number>();
  for (const [index, { port, tls }] of ingress.entries()) {
    const at = place.in('ingress', index);
    if (ports.has(port.number)) at.in('port', 'number').error(`${port.number} is listed twice`);
    ports.add(port.number);
    // Istio: "server cannot have TLS settings for non HTTPS/TLS ports".
    if (tls !== undefined && !/^(https|tls)$/i.test(port.protocol ?? '')) {
      at.at('tls').error(`port.protocol is ${port.protocol || 'not set'}, want HTTPS or TLS`);
    }
  }
};

/** Istio validateTLSOptions. */
export const checkServerTls = (tls: ServerTls, place: Place): void => {
  const byFile = (['serverCertificate', 'privateKey', 'caCertificates', 'caCrl'] as const).filter((name) => tls[name]);
  if (tls.credentialName !== undefined) {
    for (const name of byFile) place.at(name).error('credentialName is set too, want one of them');
    return;
  }
  for (const name of ['serverCertificate', 'privateKey'] as const) {
    if (!tls[name]) place.error(`${name} is missing, mode ${tls.mode} wants it (or credentialName)`);
  }
  if (tls.mode !== 'SIMPLE' && !tls.caCertificates) {
    place.error(`caCertificates is missing, mode ${tls.mode} wants it (or credentialName)`);
  }
};
