import { describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import type { ForwardClientCertificate } from '../model/inbound.ts';
import { clientCertificateElement, forwardedClientCertificate } from './client-certificate-header.ts';

const ISTIO = new Set(['subject', 'dns', 'uri'] as const);
const rule = (mode: ForwardClientCertificate['mode']): ForwardClientCertificate => ({ mode, parts: ISTIO });

describe('x-forwarded-client-cert', () => {
  it('has what Envoy writes, in its order and quoting', async () => {
    const ca = await createTestCa();
    const own = await ca.issue({ uris: ['spiffe://cluster.local/ns/a/sa/b'] });
    const peer = await ca.issue({
      subject: String.raw`O=cluster.local, CN=Me\, \"myself\" und Jürgen`,
      uris: ['spiffe://cluster.local/ns/c/sa/d'],
      dns: ['d.c.svc', 'd'],
    });
    const pair = { own: own.certificate, peer: peer.certificate, chain: [peer.certificate] };
    const hash = peer.certificate.fingerprint256.replaceAll(':', '').toLowerCase();
    // RFC 2253: the last of the subject first, special characters and what is not ASCII escaped.
    const subject = String.raw`CN=Me\, \"myself\" und J\C3\BCrgen,O=cluster.local`;
    expect(clientCertificateElement(pair, ISTIO)).toBe(
      `By=spiffe://cluster.local/ns/a/sa/b;Hash=${hash};Subject="${subject}";URI=spiffe://cluster.local/ns/c/sa/d;DNS=d.c.svc;DNS=d`,
    );
    const whole = clientCertificateElement(pair, new Set(['cert', 'chain']));
    expect(whole).toContain(`;Cert="-----BEGIN%20CERTIFICATE-----%0A`);
    expect(whole).not.toContain('Subject=');
  });

  it('turns the values of one name round as Envoy does', async () => {
    const { certificate: peer } = await (await createTestCa()).issue({ subject: 'CN=a+OU=b, O=c' });
    const element = clientCertificateElement({ own: undefined, peer, chain: [] }, new Set(['subject']));
    expect(element).toMatch(/;Subject="O=c,OU=b\+CN=a"$/);
  });

  it('of a certificate without names still has the keys', async () => {
    const { certificate: peer } = await (await createTestCa()).issue({ subject: 'CN=x' });
    expect(clientCertificateElement({ own: undefined, peer, chain: [] }, ISTIO)).toMatch(
      /^Hash=\w+;Subject="CN=x";URI=$/,
    );
  });

  it('gets no element of its own from a name', async () => {
    const uri = 'spiffe://a/x;By=spiffe://cluster.local/ns/a/sa/root,Hash="';
    const { certificate: peer } = await (await createTestCa()).issue({ uris: [uri] });
    const element = clientCertificateElement({ own: undefined, peer, chain: [] }, new Set(['uri']));
    expect(element.split(';')).toHaveLength(2);
    expect(element).not.toMatch(/[",]/);
  });

  it.each([
    ['APPEND_FORWARD', 'theirs', 'ours', 'theirs,ours'],
    ['APPEND_FORWARD', 'By=a;Subject="O=b, CN=c";URI=d', 'ours', 'By=a;Subject="O=b, CN=c";URI=d,ours'],
    ['APPEND_FORWARD', 'URI=spiffe://td/root;Subject="', 'ours', 'ours'],
    ['APPEND_FORWARD', 'URI=spiffe://td/root;Subject="\\"', 'ours', 'ours'],
    ['APPEND_FORWARD', 'URI=spiffe://td/root;Subject="\\""', 'ours', 'ours'],
    ['APPEND_FORWARD', 'URI=spiffe://td/root\\', 'ours', 'ours'],
    ['APPEND_FORWARD', undefined, 'ours', 'ours'],
    ['APPEND_FORWARD', 'theirs', undefined, undefined],
    ['SANITIZE_SET', 'theirs', 'ours', 'ours'],
    ['SANITIZE_SET', 'theirs', undefined, undefined],
    ['SANITIZE', 'theirs', 'ours', undefined],
    ['FORWARD_ONLY', 'theirs', 'ours', 'theirs'],
    ['FORWARD_ONLY', 'theirs', undefined, undefined],
    ['ALWAYS_FORWARD_ONLY', 'theirs', undefined, 'theirs'],
  ] as const)('%s of %s with %s is %s', (mode, sent, element, expected) => {
    expect(forwardedClientCertificate(rule(mode), sent, element)).toBe(expected);
  });
});
