import type { ServicePort } from '../schema/spec/core.ts';
import type { ConfigObject } from '../schema/types.ts';
import { selectProtocol } from './protocol.ts';
import type { MeshService, MeshServicePort, ServiceKey } from './read-model.ts';

export const serviceKey = (namespace: string, hostname: string): ServiceKey => `${namespace}/${hostname}`;

export const kubernetesHostname = (name: string, namespace: string, clusterDomain: string): string =>
  `${name}.${namespace}.svc.${clusterDomain}`;

/** A Kubernetes Service as the mesh sees it (Istio kube.ConvertService). */
export const fromKubernetes = (service: ConfigObject<'Service'>, clusterDomain: string): MeshService => {
  const { name, namespace, spec, labels, annotations } = service;
  const hostname = kubernetesHostname(name, namespace, clusterDomain);
  const external = spec.type === 'ExternalName';
  const addresses = spec.clusterIPs.length > 0 ? spec.clusterIPs : [spec.clusterIP ?? ''];
  const distribution = annotations.get('networking.istio.io/traffic-distribution') ?? spec.trafficDistribution;
  return {
    key: serviceKey(namespace, hostname),
    hostname,
    name,
    namespace,
    kind: 'kubernetes',
    resolution: external ? 'dns' : 'client-side-lb',
    headless: spec.clusterIP === 'None',
    meshExternal: external,
    ...(external && spec.externalName && { externalName: spec.externalName.toLowerCase().replace(/\.$/, '') }),
    addresses: addresses.filter((address) => address !== '' && address !== 'None'),
    ports: spec.ports.map(meshPort),
    exportTo: splitList(annotations.get('networking.istio.io/exportTo')),
    subjectAltNames: splitList(annotations.get('alpha.istio.io/kubernetes-serviceaccounts')),
    labels,
    selector: external ? new Map() : spec.selector,
    ...(distribution !== undefined && { trafficDistribution: distribution }),
    ...(service.creationTime !== undefined && { creationTime: service.creationTime }),
    objectKey: service.key,
  };
};

const meshPort = ({ port, name = '', protocol, appProtocol, targetPort }: ServicePort): MeshServicePort => ({
  number: port,
  name,
  protocol: selectProtocol({
    number: port,
    name,
    transport: protocol,
    ...(appProtocol !== undefined && { appProtocol }),
  }),
  ...(targetPort !== undefined && { targetPort }),
});

const splitList = (text: string | undefined): readonly string[] =>
  (text ?? '')
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
