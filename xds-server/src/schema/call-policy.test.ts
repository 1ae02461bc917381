import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';

const policy = (spec: string, version = 'inmesh.io/v1alpha1') => `apiVersion: ${version}
kind: CallPolicy
metadata: {name: p, namespace: shop}
spec:
${spec.replace(/^/gm, '  ')}
`;
const TO = 'targetRefs: [{kind: Service, name: reviews}]\n';
const problems = (text: string) =>
  parseText(text, 'p.yaml').problems.map(({ line, fieldPath = '', message }) => `${line} ${fieldPath}: ${message}`);

describe('CallPolicy', () => {
  it('is read with its times in ms', () => {
    const text = policy(`targetRefs:
- {kind: Service, name: reviews}
- {group: networking.istio.io, kind: VirtualService, name: reviews, sectionName: read}
hedging: {delay: p95, maxHedges: 2}
bodyBuffer: 65536
faultScope: attempt
mirror: {compare: {status: true, json: true}}
healthCheck: {http: {path: /live, expectedStatuses: [200, 204]}, interval: 5s}
keepAlive: {idleTimeout: 30s, http2Ping: {interval: 10s}}
retryNonIdempotent: true`);
    const { objects, problems: found } = parseText(text, 'p.yaml');
    expect(found).toEqual([]);
    expect(objects[0]?.spec).toEqual({
      targetRefs: [
        { kind: 'Service', name: 'reviews' },
        { group: 'networking.istio.io', kind: 'VirtualService', name: 'reviews', sectionName: 'read' },
      ],
      hedging: { delay: 'p95', maxHedges: 2 },
      bodyBuffer: 65_536,
      faultScope: 'attempt',
      mirror: { compare: { status: true, json: true, latency: false } },
      healthCheck: { http: { path: '/live', expectedStatuses: [200, 204] }, interval: 5_000 },
      keepAlive: { idleTimeout: 30_000, http2Ping: { interval: 10_000 } },
      retryNonIdempotent: true,
    });
  });

  it.each([
    ['targetRefs: []', '5 spec.targetRefs: want at least one Service, ServiceEntry or VirtualService'],
    [
      'targetRefs: [{kind: Service, name: a, sectionName: b}]',
      '5 spec.targetRefs[0].sectionName: a Service has no sections, want a VirtualService, whose http route it names',
    ],
    [
      'targetRefs: [{group: apps, kind: VirtualService, name: a}]',
      '5 spec.targetRefs[0].group: got "apps", VirtualService wants "networking.istio.io"',
    ],
    [`${TO}hedging: {maxHedges: 2}`, '6 spec.hedging: want delay, onPerTryTimeout: true or both'],
    [
      `${TO}hedging: {delay: soon}`,
      '6 spec.hedging.delay: got "soon" (string), want a duration of at least 1ms like "500ms", "10s" or "1h30m" or p95',
    ],
    [`${TO}hedging: {delay: 1s, maxHedges: 11}`, '6 spec.hedging.maxHedges: got 11 (number), want an integer 1–10'],
    [`${TO}bodyBuffer: -1`, '6 spec.bodyBuffer: got -1 (number), want an integer 0–4294967295'],
    [`${TO}faultScope: all`, '6 spec.faultScope: got "all" (string), want one of call, attempt'],
    [
      `${TO}healthCheck: {interval: 1s}`,
      '6 spec.healthCheck: nothing to check with, want exactly one of http, tcp, grpc',
    ],
    [
      `${TO}healthCheck: {tcp: {}, grpc: {}}`,
      '6 spec.healthCheck.grpc: tcp is set too, want exactly one of http, tcp, grpc',
    ],
    [
      `${TO}healthCheck: {http: {path: live}}`,
      '6 spec.healthCheck.http.path: got "live" (string), want a path that begins with "/"',
    ],
    [TO, '4 spec: nothing is asked for: the policy has no effect'],
  ])('%s', (spec, expected) => {
    expect(problems(policy(spec))).toEqual([expected]);
  });

  it('another kind or version of the group is an error', () => {
    expect(problems(policy(TO, 'inmesh.io/v1'))).toEqual([
      '1 apiVersion: got "inmesh.io/v1", CallPolicy wants inmesh.io/v1alpha1',
    ]);
    expect(problems(policy(TO).replace('CallPolicy', 'CallPolice'))).toEqual([
      '2 kind: unknown kind of inmesh.io/v1alpha1, did you mean CallPolicy?',
    ]);
  });
});
