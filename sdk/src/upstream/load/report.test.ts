import { create, toBinary, toJsonString } from '@bufbuild/protobuf';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrcaLoadReportSchema } from '../../../gen/services.js';
import { readOrca } from './orca.ts';
import { loadReportIn } from './report.ts';

const amount = fc.double({ min: 0, noNaN: true, noDefaultInfinity: true });
const amounts = fc.dictionary(fc.string(), amount, { maxKeys: 3 });
const reports = fc.record({
  cpuUtilization: amount,
  memUtilization: amount,
  applicationUtilization: amount,
  rpsFractional: amount,
  eps: amount,
  rps: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  requestCost: amounts,
  utilization: amounts,
  namedMetrics: amounts,
});

const prefixed = (prefix: string, of: Record<string, number>) =>
  Object.entries(of).map(([key, value]) => [`${prefix}.${key}`, value] as const);

describe('OrcaLoadReport', () => {
  it('is read as generated code reads it', () => {
    fc.assert(
      fc.property(reports, (fields) => {
        const read = readOrca(toBinary(OrcaLoadReportSchema, create(OrcaLoadReportSchema, fields)));
        expect(read).toMatchObject({
          cpu: fields.cpuUtilization,
          memory: fields.memUtilization,
          application: fields.applicationUtilization,
          requests: fields.rpsFractional,
          errors: fields.eps,
        });
        const { requestCost, utilization, namedMetrics } = fields;
        const metrics = [
          ...prefixed('request_cost', requestCost),
          ...prefixed('utilization', utilization),
          ...prefixed('named_metrics', namedMetrics),
        ];
        expect(new Map(read?.metrics)).toEqual(new Map(metrics));
      }),
    );
  });

  it.each([
    ['cut in a number', [0x09, 0, 0]],
    ['cut in a length', [0x2a, 0xff]],
    ['longer than it is', [0x2a, 5, 1]],
    ['with a field 0', [0x01, 0, 0, 0, 0, 0, 0, 0, 0]],
    ['with a group', [0x0b]],
    ['with an endless number', [0x18, ...Array.from({ length: 11 }, () => 0xff)]],
  ])('%s is none', (_, bytes) => {
    expect(readOrca(Uint8Array.from(bytes))).toBeUndefined();
  });

  it('whatever the bytes, is read or is not', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        const read = readOrca(bytes);
        if (read === undefined) return;
        for (const value of [read.cpu, read.requests, ...read.metrics.values()])
          expect(value).toBeGreaterThanOrEqual(0);
      }),
      { numRuns: 2_000 },
    );
  });

  it('knows no number that is none or negative', () => {
    const fields = { cpuUtilization: Number.NaN, rpsFractional: -1, eps: Number.POSITIVE_INFINITY };
    const read = readOrca(toBinary(OrcaLoadReportSchema, create(OrcaLoadReportSchema, fields)));
    expect(read).toMatchObject({ cpu: 0, requests: 0, errors: 0 });
  });
});

describe('a report in headers', () => {
  const message = create(OrcaLoadReportSchema, {
    cpuUtilization: 0.25,
    rpsFractional: 100,
    eps: 1,
    namedMetrics: { queue: 3 },
  });
  const base64 = Buffer.from(toBinary(OrcaLoadReportSchema, message)).toString('base64');
  const expected = { cpu: 0.25, requests: 100, errors: 1 };

  it.each([
    ['endpoint-load-metrics-bin', base64],
    ['endpoint-load-metrics-bin', base64.replace(/=+$/, '')],
    ['endpoint-load-metrics', `BIN ${base64}`],
    ['endpoint-load-metrics', `JSON ${toJsonString(OrcaLoadReportSchema, message)}`],
    ['endpoint-load-metrics', `JSON ${toJsonString(OrcaLoadReportSchema, message, { useProtoFieldName: true })}`],
    ['endpoint-load-metrics', 'TEXT cpu_utilization=0.25, rps_fractional=100,eps=1,named_metrics.queue=3'],
  ])('%s: %s', (name, value) => {
    for (const headers of [{ [name]: value }, ['x', 'y', name, value]]) {
      const read = loadReportIn(headers);
      expect(read).toMatchObject(expected);
      expect(read?.metrics.get('named_metrics.queue')).toBe(3);
    }
  });

  it.each([
    {},
    { 'endpoint-load-metrics': 'XML <a/>' },
    { 'endpoint-load-metrics': 'JSON {' },
    { 'endpoint-load-metrics': 'JSON [1]' },
    { 'endpoint-load-metrics': 'JSON null' },
    { 'endpoint-load-metrics-bin': 'AAAA' },
  ])('there is none in %j', (headers) => {
    expect(loadReportIn(headers)).toBeUndefined();
  });

  it('with lists in lists for numbers, thousands deep, says nothing', () => {
    const deep = `${'['.repeat(30_000)}1${']'.repeat(30_000)}`;
    for (const json of [`{"cpu_utilization":${deep}}`, `{"named_metrics":{"a":${deep}}}`])
      expect(loadReportIn({ 'endpoint-load-metrics': `JSON ${json}` })).toMatchObject({ cpu: 0, requests: 0 });
  });

  it('with nonsense for numbers says nothing', () => {
    const headers = { 'endpoint-load-metrics': 'TEXT cpu_utilization=much,rps_fractional=,=,__proto__=1' };
    expect(loadReportIn(headers)).toMatchObject({ cpu: 0, requests: 0 });
    const json = 'JSON {"__proto__":{"cpu_utilization":1},"cpu_utilization":{"a":1}}';
    expect(loadReportIn({ 'endpoint-load-metrics': json })).toMatchObject({ cpu: 0 });
  });
});
