import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { formatProblem } from './problem.ts';

const pem = (label: string, body: string): string => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`;
const CERTIFICATE = pem('CERTIFICATE', 'cGVlcg==');
const KEY = pem('PRIVATE KEY', 'U0VDUkVULUtFWQ==');
const CRL = pem('X509 CRL', 'Y3Js');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

const parse = (object: Readonly<Record<string, unknown>>) => {
  const head = { apiVersion: 'v1', kind: 'Secret', metadata: { name: 's', namespace: 'shop' } };
  const { objects, problems } = parseText(JSON.stringify({ ...head, ...object }), 's.yaml');
  return { object: objects[0], problems: problems.map(formatProblem) };
};
const tls = (data: Readonly<Record<string, unknown>>) => parse({ type: 'kubernetes.io/tls', data });

describe('Secret', () => {
  it('of type kubernetes.io/tls is read and decoded; what else is in it is not', () => {
    const data = {
      'tls.crt': base64(CERTIFICATE),
      'tls.key': base64(KEY),
      'ca.crt': base64(CERTIFICATE),
      'ca.crl': base64(CRL),
      password: base64('hunter2'),
    };
    const { object, problems } = tls(data);
    expect(problems).toEqual([]);
    expect(object?.spec).toEqual({
      type: 'kubernetes.io/tls',
      data: { 'tls.crt': CERTIFICATE, 'tls.key': KEY, 'ca.crt': CERTIFICATE, 'ca.crl': CRL },
      stringData: {},
    });
  });

  it.each(['Opaque', undefined])('of type %s is read where Istio’s keys hold PEM', (type) => {
    const typed = type === undefined ? {} : { type };
    expect(parse({ ...typed, stringData: { cert: CERTIFICATE, key: KEY } }).object?.kind).toBe('Secret');
    expect(parse({ ...typed, data: { cacert: base64(CERTIFICATE) } }).object?.kind).toBe('Secret');
  });

  it.each([
    { type: 'Opaque', data: { key: base64('a password') } },
    { type: 'Opaque', stringData: { username: 'a' } },
    { type: 'kubernetes.io/service-account-token', data: { 'ca.crt': base64(CERTIFICATE) } },
    { type: 'helm.sh/release.v1', data: { release: 'x' } },
    {},
  ])('any other is some application’s: %j', (object) => {
    expect(parse(object)).toEqual({ problems: ['s.yaml:1: Secret shop/s: not used by the mesh'] });
  });

  it('a line break in base64 is no part of it, an empty entry is none', () => {
    const broken = `${base64(CERTIFICATE).slice(0, 20)}\n${base64(CERTIFICATE).slice(20)}`;
    expect(tls({ 'tls.crt': broken, 'tls.key': base64(KEY) }).problems).toEqual([]);
    expect(tls({ 'tls.crt': '', 'tls.key': '', 'ca.crt': base64(CERTIFICATE) }).problems).toEqual([]);
  });

  it('one half of a pair is an error, named by what is missing', () => {
    expect(tls({ 'tls.key': base64(KEY) }).problems).toEqual([
      's.yaml:1: Secret shop/s: data: tls.key is there without tls.crt, want both',
    ]);
    expect(parse({ stringData: { cert: CERTIFICATE } }).problems).toEqual([
      's.yaml:1: Secret shop/s: data: cert is there without key, want both',
    ]);
  });

  it.each([
    ['data in place of a mapping', { data: KEY }],
    ['stringData in place of a mapping', { stringData: [KEY] }],
    ['a key that is not base64', { data: { 'tls.key': KEY } }],
    ['a key where the certificate belongs', { data: { 'tls.crt': base64(KEY), 'tls.key': base64(KEY) } }],
    ['a key that is encrypted', { stringData: { 'tls.key': pem('ENCRYPTED PRIVATE KEY', 'U0VDUkVU') } }],
    ['a key that is a number', { data: { 'tls.key': 1234567 } }],
    ['a list of keys', { stringData: { key: [KEY] } }],
  ])('no message shows what is in it: %s', (_, object) => {
    const { problems, object: read } = parse({ type: 'kubernetes.io/tls', ...object });
    expect(read).toBeUndefined();
    expect(problems.join()).toMatch(/: not shown; want /);
    for (const part of ['U0VDUkVU', base64(KEY).slice(40, 60), '1234567', 'BEGIN PRIVATE']) {
      expect(problems.join()).not.toContain(part);
    }
  });

  it('not even one of a document that is no YAML', () => {
    const text = `apiVersion: v1\nkind: Secret\nmetadata: { name: s }\nstringData:\n  tls.key: |\n${KEY}\n`;
    const { problems } = parseText(text, 's.yaml');
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.map(formatProblem).join()).not.toContain('U0VDUkVU');
  });
});
