import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createBundles } from '../../../sdk/src/identity/bundles.ts';
import type { InboundListener } from '../../../sdk/src/model/inbound.ts';
import { listenerOfMode } from '../../../sdk/src/server/chain.ts';
import { guardWith } from '../../../sdk/src/server/guard.ts';
import { peerOf } from '../../../sdk/src/server/peer.ts';
import { ask, createSide, PRODUCTPAGE, plain, REVIEWS, secure } from '../../../sdk/src/server/server.fixture.ts';
import { createTestCa, type TestCa, type TestCertificate } from '../../harness/certificates.ts';
import { createTestIdentity } from '../../harness/test-identity.ts';
import { bootstrap, type Json, staticCluster } from '../envoy-connect/tcp-proxy.ts';
import { findEnvoy, type RunningEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';

const MODES = ['SANITIZE', 'FORWARD_ONLY', 'APPEND_FORWARD', 'SANITIZE_SET', 'ALWAYS_FORWARD_ONLY'] as const;
type Mode = (typeof MODES)[number];
const PARTS = ['subject', 'cert', 'chain', 'dns', 'uri'] as const;
const ISTIO = ['subject', 'dns', 'uri'] as const;

/** What a peer of outside might say to pass for one of inside. */
const FORGED = {
  'x-envoy-internal': 'true',
  'x-envoy-external-address': '10.0.0.1',
  'x-envoy-decorator-operation': 'x',
  'x-envoy-downstream-service-cluster': 'x',
  'x-envoy-downstream-service-node': 'x',
  'x-envoy-retriable-status-codes': '503',
  'x-envoy-retriable-header-names': 'x',
  'x-envoy-retry-on': '5xx',
  'x-envoy-retry-grpc-on': 'cancelled',
  'x-envoy-max-retries': '9',
  'x-envoy-upstream-alt-stat-name': 'x',
  'x-envoy-upstream-rq-timeout-ms': '60000',
  'x-envoy-upstream-rq-per-try-timeout-ms': '60000',
  'x-envoy-upstream-rq-timeout-alt-response': '1',
  'x-envoy-upstream-stream-duration-ms': '60000',
  'x-envoy-expected-rq-timeout-ms': '60000',
  'x-envoy-hedge-on-per-try-timeout': 'true',
  'x-envoy-force-trace': '1',
  'x-envoy-ip-tags': 'x',
  'x-envoy-original-url': '/x',
  'x-envoy-original-path': '/x',
  'x-envoy-original-host': 'x',
  'x-envoy-attempt-count': '3',
};
const XFCC = 'x-forwarded-client-cert';
const SENT = 'By=spiffe://a/b;Hash=00;URI=spiffe://cluster.local/ns/x/sa/y';

const binary = findEnvoy();

describe.skipIf(binary === undefined)(
  'inbound beside live Envoy (HttpConnectionManager, use_remote_address: false)',
  () => {
    const closers: (() => unknown)[] = [];
    let ca: TestCa;
    let own: TestCertificate;
    let callers: Record<string, TestCertificate>;
    let envoy: RunningEnvoy;
    const envoyPorts = new Map<string, number>();
    let egress: number;

    beforeAll(async () => {
      ca = await createTestCa();
      own = await ca.issue({ uris: [REVIEWS] });
      const middle = await ca.intermediate({ subject: 'CN=middle' });
      callers = {
        // Both under an intermediate: without one OpenSSL sends the root along, if it has it.
        istio: await middle.issue({ subject: '', uris: [PRODUCTPAGE] }),
        named: await middle.issue({
          subject: String.raw`O=cluster.local, OU=a+b, CN=Me\, \"myself\" und Jürgen #1;<x>`,
          uris: [PRODUCTPAGE],
          dns: ['productpage.default', 'productpage'],
        }),
      };
      const echo = await startEcho();
      egress = await freePort();
      const strict = await startStrict();
      const listeners: Json[] = [egressListener(egress, 'guarded')];
      for (const mode of MODES) {
        for (const parts of [ISTIO, PARTS]) {
          const port = await freePort();
          envoyPorts.set(`${mode} ${parts.length}`, port);
          listeners.push(inboundListener(port, mode, parts));
        }
      }
      const adminPort = await freePort();
      const clusters = [
        staticCluster('app', [echo]),
        staticCluster('guarded', [strict], { transport_socket: upstreamTls() }),
      ];
      envoy = await startEnvoy(binary ?? '', bootstrap(adminPort, listeners, clusters), adminPort);
    });
    afterAll(async () => {
      await envoy?.stop();
      for (const close of closers.splice(0)) await close();
    });

    const files = ({ pem, keyPem }: TestCertificate): Json => ({
      certificate_chain: { inline_string: pem },
      private_key: { inline_string: keyPem },
    });

    function inboundListener(port: number, mode: Mode, parts: readonly string[]): Json {
      const details = Object.fromEntries(parts.map((part) => [part, true]));
      const hcm = {
        '@type':
          'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
        stat_prefix: 'inbound',
        forward_client_cert_details: mode,
        set_current_client_cert_details: details,
        use_remote_address: false,
        route_config: {
          virtual_hosts: [
            {
              name: 'all',
              domains: ['*'],
              routes: [{ match: { prefix: '/' }, route: { cluster: 'app', timeout: '0s' } }],
            },
          ],
        },
        http_filters: [
          {
            name: 'envoy.filters.http.router',
            typed_config: {
              '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
              suppress_envoy_headers: true,
            },
          },
        ],
      };
      return chainOn(port, hcm, {
        name: 'tls',
        typed_config: {
          '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.DownstreamTlsContext',
          require_client_certificate: true,
          common_tls_context: {
            tls_certificates: [files(own)],
            alpn_protocols: ['http/1.1'],
            validation_context: { trusted_ca: { inline_string: ca.pem } },
          },
        },
      });
    }

    /** As a sidecar of Istio calls: its ALPN first. */
    const upstreamTls = (): Json => ({
      name: 'tls',
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext',
        sni: 'outbound_.9080_._.reviews.default.svc.cluster.local',
        common_tls_context: {
          tls_certificates: [files(callers.istio as TestCertificate)],
          alpn_protocols: ['istio-http/1.1', 'istio', 'http/1.1'],
          validation_context: {
            trusted_ca: { inline_string: ca.pem },
            match_typed_subject_alt_names: [{ san_type: 'URI', matcher: { exact: REVIEWS } }],
          },
        },
      },
    });

    function egressListener(port: number, cluster: string): Json {
      return chainOn(port, {
        '@type':
          'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
        stat_prefix: 'egress',
        route_config: {
          virtual_hosts: [{ name: 'all', domains: ['*'], routes: [{ match: { prefix: '/' }, route: { cluster } }] }],
        },
        http_filters: [
          {
            name: 'envoy.filters.http.router',
            typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
          },
        ],
      });
    }

    const chainOn = (port: number, hcm: Json, transport_socket?: Json): Json => ({
      name: `on ${port}`,
      address: { socket_address: { address: '127.0.0.1', port_value: port } },
      filter_chains: [
        { filters: [{ name: 'http', typed_config: hcm }], ...(transport_socket && { transport_socket }) },
      ],
    });

    const shown: RequestListener = (request, response) => {
      response.end(JSON.stringify({ peer: peerOf(request)?.id, headers: request.headers }));
    };

    async function startEcho(): Promise<number> {
      const server = createServer(shown);
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      closers.push(
        () => server.closeAllConnections(),
        () => server.close(),
      );
      return (server.address() as AddressInfo).port;
    }

    async function guarded(listener: InboundListener, server: Server = createServer(shown)): Promise<number> {
      const bundles = createBundles([['cluster.local', [ca.pem]]]);
      const side = createSide(createTestIdentity({ certificate: own, bundles }));
      side.listen(listener);
      const one = guardWith(side, server, {});
      closers.push(() => one.close({ graceMs: 0 }));
      return (await one.listen({ port: 0, host: '127.0.0.1' })).port;
    }

    const startStrict = (): Promise<number> => guarded(listenerOfMode('STRICT', '127.0.0.1', 0));

    const startOurs = (mode: Mode, parts: readonly (typeof PARTS)[number][]): Promise<number> => {
      const strict = listenerOfMode('STRICT', '127.0.0.1', 0);
      const clientCertificate = { mode, parts: new Set(parts) };
      return guarded({ ...strict, chains: strict.chains.map((chain) => ({ ...chain, clientCertificate })) });
    };

    async function seen(
      port: number,
      caller: string,
      headers: Record<string, string>,
    ): Promise<Record<string, string>> {
      const socket = await secure({ port, ca }, callers[caller], ['http/1.1']);
      const { text } = await ask(socket, { headers });
      socket.destroy();
      return JSON.parse(text).headers;
    }

    const cases = MODES.flatMap((mode) =>
      [ISTIO, PARTS].flatMap((parts) =>
        ['istio', 'named'].flatMap((caller) => [true, false].map((sends) => [mode, parts, caller, sends] as const)),
      ),
    );

    it.each(cases)(
      '%s of %j: the header of caller %s (sends one: %s) is byte for byte the same',
      async (mode, parts, caller, sends) => {
        const headers = sends ? { [XFCC]: SENT } : {};
        const theirs = await seen(envoyPorts.get(`${mode} ${parts.length}`) ?? 0, caller, headers);
        const ours = await seen(await startOurs(mode, parts), caller, headers);
        expect(ours[XFCC]).toBe(theirs[XFCC]);
      },
    );

    it('what Envoy takes from requests of outside is taken here too, but for the deadline', async () => {
      const theirs = await seen(envoyPorts.get('APPEND_FORWARD 3') ?? 0, 'istio', FORGED);
      const ours = await seen(await startStrict(), 'istio', FORGED);
      const missing = (headers: Record<string, string>) =>
        Object.keys(FORGED).filter((name) => headers[name] === undefined);
      expect(missing(theirs).filter((name) => !missing(ours).includes(name))).toEqual([
        'x-envoy-expected-rq-timeout-ms',
      ]);
      expect(missing(theirs).length).toBeGreaterThan(10);
    });

    it('Envoy calls a guarded server as a sidecar would', async () => {
      const { text } = await ask(await plain(egress));
      const { peer, headers } = JSON.parse(text);
      expect(peer).toBe(PRODUCTPAGE);
      expect(headers[XFCC]).toMatch(/^By=.*reviews;Hash=\w{64};Subject="";URI=.*productpage$/);
    });
  },
);
