import { checkVirtualService } from '../checks/virtual-service.ts';
import { ignored, list, mapOf, message, required, supported } from '../message.ts';
import type { RouteDestination, TcpRoute, TlsRoute, VirtualServiceSpec } from '../spec/virtual-service.ts';
import { cidrOrIP, dnsLabel, exportScope, labelValue, wildcardHost, wrongLabelName } from '../syntax.ts';
import { integer, portNumber, text, UINT32_MAX } from '../type.ts';
import { destination, gatewayName, httpRoute } from './http-route.ts';

const routeDestination = message<RouteDestination>({
  destination: required(destination),
  weight: supported(integer(0, UINT32_MAX)),
});

const tlsRoute = message<TlsRoute>({
  match: required(
    list(
      message<TlsRoute['match'][number]>({
        sniHosts: required(list(wildcardHost)),
        destinationSubnets: supported(list(cidrOrIP)),
        port: supported(portNumber),
        sourceLabels: supported(mapOf(labelValue, wrongLabelName)),
        gateways: supported(list(gatewayName)),
        sourceNamespace: supported(dnsLabel),
      }),
    ),
  ),
  route: supported(list(routeDestination)),
});

const tcpRoute = message<TcpRoute>({
  match: supported(
    list(
      message<TcpRoute['match'][number]>({
        destinationSubnets: supported(list(cidrOrIP)),
        port: supported(portNumber),
        sourceLabels: supported(mapOf(labelValue, wrongLabelName)),
        gateways: supported(list(gatewayName)),
        sourceNamespace: supported(dnsLabel),
        sourceSubnet: ignored(text(), 'no data plane compares it'),
      }),
    ),
  ),
  route: supported(list(routeDestination)),
});

export const virtualService = message<VirtualServiceSpec>(
  {
    hosts: supported(list(wildcardHost)),
    gateways: supported(list(gatewayName)),
    http: supported(list(httpRoute)),
    tls: supported(list(tlsRoute)),
    tcp: supported(list(tcpRoute)),
    exportTo: supported(list(exportScope)),
  },
  { check: checkVirtualService },
);
