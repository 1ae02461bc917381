import http from 'node:http';
import https from 'node:https';
import type { TestCa, TestCertificate } from '../../harness/certificates.ts';

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: http.IncomingHttpHeaders;
}

/** One request in plain through an Envoy. */
export function callThrough(
  agent: http.Agent | undefined,
  port: number,
  headers: Readonly<Record<string, string | readonly string[]>>,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = { host: 'reviews', ...headers } as http.OutgoingHttpHeaders;
    const request = http.get({ host: '127.0.0.1', port, headers: sent, ...(agent && { agent }) }, (response) => {
      let text = '';
      response.on('error', reject);
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text, headers: response.headers }));
    });
    request.on('error', reject);
  });
}

/** By Node's own TLS, so that nothing of ours is at this end. */
export function callTls({ pem }: TestCa, port: number, certificate: TestCertificate | undefined): Promise<string> {
  const options: https.RequestOptions = {
    host: '127.0.0.1',
    port,
    agent: false,
    ca: pem,
    checkServerIdentity: () => undefined,
    ...(certificate && { cert: certificate.pem, key: certificate.keyPem }),
  };
  return new Promise((resolve, reject) => {
    const request = https.get(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}
