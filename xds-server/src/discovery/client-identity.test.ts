import { describe, expect, it } from 'vitest';
import { clientIdentity } from './client-identity.ts';
import { nodeOf } from './node.fixture.ts';

describe('clientIdentity', () => {
  it("reads Istio's metadata keys", () => {
    const identity = clientIdentity(
      nodeOf('web-1', {
        NAMESPACE: 'shop',
        WORKLOAD_NAME: 'web',
        SERVICE_ACCOUNT: 'web-sa',
        LABELS: { app: 'web', count: 3 },
        INSTANCE_IPS: '10.0.0.1,fd00::1',
      }),
    );
    expect(identity).toMatchObject({ namespace: 'shop', workload: 'web', serviceAccount: 'web-sa' });
    expect([...identity.view.labels]).toEqual([['app', 'web']]);
    expect(identity.addresses).toEqual(['10.0.0.1', 'fd00::1']);
    expect(identity.faults).toEqual([]);
  });

  it('falls back to the namespace default and the node id', () => {
    expect(clientIdentity(nodeOf('web-1'))).toMatchObject({
      namespace: 'default',
      workload: 'web-1',
      serviceAccount: 'default',
    });
  });

  it.each([
    ['sdk', { INMESH_KIND: 'sdk' }, 'inmesh-sdk'],
    ['grpc', {}, 'gRPC Node Pure JS'],
    ['grpc', {}, ''],
    ['envoy', {}, 'envoy'],
  ])('takes it for %s', (kind, metadata, userAgent) => {
    expect(clientIdentity(nodeOf('a', metadata, userAgent)).view.kind).toBe(kind);
  });

  it('takes what can be registered and names what cannot, with what is allowed', () => {
    const { registrations, faults } = clientIdentity(
      nodeOf('a', {
        INMESH_REGISTER: [
          { service: 'reviews', port: 3001, version: 'v1', labels: { tier: 'x' }, address: '10.0.0.9' },
          { service: 'reviews.shop.svc.cluster.local', port: 3002 },
          { service: '../etc', port: 1 },
          { service: 'a', port: 0 },
          { service: 'a', port: 1.5 },
          'reviews:80',
        ],
      }),
    );
    expect(registrations.map(({ service, port }) => `${service}:${port}`)).toEqual([
      'reviews:3001',
      'reviews.shop.svc.cluster.local:3002',
    ]);
    expect(registrations[0]).toMatchObject({ version: 'v1', labels: new Map([['tier', 'x']]), address: '10.0.0.9' });
    expect(faults).toEqual([
      'INMESH_REGISTER[2].service: got "../etc", want a service name',
      'INMESH_REGISTER[3].port: got 0, want an integer 1–65535',
      'INMESH_REGISTER[4].port: got 1.5, want an integer 1–65535',
      'INMESH_REGISTER[5]: got string, want an object with service and port',
    ]);
  });

  it('takes no unix socket for an address: its callers would be sent to one of their own machine', () => {
    const { registrations, addresses, faults } = clientIdentity(
      nodeOf('a', {
        INSTANCE_IPS: 'unix:/run/docker.sock,10.0.0.1',
        INMESH_REGISTER: ['unix:/run/docker.sock', '10.0.0.1/8', 'a b', 7, 'vm-1.example', '::1', ''].map(
          (address, at) => ({
            service: 'a',
            port: at + 1,
            address,
          }),
        ),
      }),
    );
    expect(addresses).toEqual(['10.0.0.1']);
    expect(registrations.map(({ address }) => address)).toEqual(['vm-1.example', '::1', undefined]);
    expect(faults).toHaveLength(4);
    expect(faults[0]).toBe(
      'INMESH_REGISTER[0].address: got "unix:/run/docker.sock", want an IP address or a host name',
    );
  });

  it('bounds how much one process registers', () => {
    const many = Array.from({ length: 101 }, (_, index) => ({ service: 'a', port: index + 1 }));
    const { registrations, faults } = clientIdentity(nodeOf('a', { INMESH_REGISTER: many }));
    expect(registrations).toHaveLength(100);
    expect(faults).toEqual(['INMESH_REGISTER: got 101 services, want at most 100']);
    expect(clientIdentity(nodeOf('a', { INMESH_REGISTER: 'x' })).faults).toEqual([
      'INMESH_REGISTER: got "x", want a list',
    ]);
  });
});
