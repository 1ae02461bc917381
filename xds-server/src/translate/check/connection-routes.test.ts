import { describe, expect, it } from 'vitest';
import { objectsOf, worldFromObjects } from '../fixtures/world-from-yaml.ts';
import { checkVirtualService } from './virtual-service.ts';

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: db, namespace: default }
spec: { clusterIP: 10.96.0.5, selector: { app: db }, ports: [{ name: tcp-db, port: 5432 }] }
---
apiVersion: v1
kind: Service
metadata: { name: web, namespace: default }
spec: { clusterIP: 10.96.0.6, selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: partner, namespace: default }
spec:
  hosts: [api.partner.example]
  resolution: NONE
  ports: [{ number: 443, name: tls, protocol: TLS }]
`;

/** `severity path: message` of one rule. */
const findings = (spec: string): readonly string[] => {
  const rule = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: rule, namespace: default }
spec: ${spec}
`;
  const objects = objectsOf(SERVICES, rule);
  const world = worldFromObjects(objects);
  return objects.flatMap((object) =>
    object.kind === 'VirtualService'
      ? checkVirtualService(world, object).map((one) => `${one.severity} ${one.fieldPath}: ${one.message}`)
      : [],
  );
};

const TO = 'route: [{ destination: { host: db } }]';

describe('check tcp and tls routes', () => {
  it('says nothing of those that do what they say', () => {
    expect(findings(`{ hosts: [db], tcp: [{ ${TO} }] }`)).toEqual([]);
  });

  it('routes for ports that speak something else have no effect', () => {
    expect(findings(`{ hosts: [web], tcp: [{ ${TO} }] }`)).toEqual([
      'warning spec.tcp: no effect: no port of its hosts is TCP (they are http)',
    ]);
    expect(findings(`{ hosts: [api.partner.example], tcp: [{ ${TO} }] }`)[0]).toContain('no port of its hosts is TCP');
    expect(findings(`{ hosts: [db], tls: [{ match: [{ sniHosts: [db] }], ${TO} }] }`)).toEqual([
      'warning spec.tls: no effect: no port of its hosts is HTTPS or TLS (they are tcp)',
    ]);
  });

  it('a host that no service has is not connected to by any name', () => {
    expect(findings(`{ hosts: [nobody], tcp: [{ ${TO} }] }`)[0]).toBe(
      'warning spec.hosts[0]: no effect: no service has the host nobody.default.svc.cluster.local',
    );
  });

  it('a destination that is not there', () => {
    expect(findings('{ hosts: [db], tcp: [{ route: [{ destination: { host: db, subset: v9 } }] }] }')).toContain(
      'error spec.tcp[0].route[0].destination: subset "v9" is not defined: no DestinationRule for db.default.svc.cluster.local; connections fail',
    );
  });

  it('a route after one that takes everything', () => {
    expect(findings(`{ hosts: [db], tcp: [{ ${TO} }, { match: [{ port: 5432 }], ${TO} }] }`)).toContain(
      'warning spec.tcp[1]: never reached: spec.tcp[0] matches everything',
    );
  });

  it('subnets of a host whose address only DNS knows', () => {
    const subnets = `match: [{ sniHosts: [api.partner.example], destinationSubnets: [10.0.0.0/8] }]`;
    expect(findings(`{ hosts: [api.partner.example], tls: [{ ${subnets}, ${TO} }] }`)).toContain(
      'warning spec.tls[0].match[0].destinationSubnets: holds only where the host is dialled by its address: it has none that is known here',
    );
  });
});
