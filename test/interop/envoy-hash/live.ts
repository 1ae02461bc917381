import http from 'node:http';
import { addressText } from '../../../sdk/src/balancer/hash-key.ts';
import { type CaseHost, type HashCase, type HeldStep, SERVER_PORT, SERVER_PORTS_V6 } from './cases.ts';
import { type RunningEnvoy, startEnvoy } from './envoy.ts';

const LISTENER_PORT = 18_430;
const ADMIN_PORT = 18_429;
const KEY_HEADER = 'x-key';
const HELD_HEADER = 'x-held';
const IN_FLIGHT = 32;

/** Live Envoy with one cluster a case, and the servers behind them. */
export interface LiveHashing {
  /** Index of the host that Envoy sent each key to. */
  picks(from: HashCase, keys: readonly string[]): Promise<Map<string, number>>;
  /** The same for requests that stay under way, one after the other. */
  heldPicks(from: HashCase, steps: readonly HeldStep[]): Promise<number[]>;
  gauges(from: HashCase): Promise<Record<string, number>>;
  stop(): Promise<void>;
}

export async function startLive(binary: string, cases: readonly HashCase[]): Promise<LiveHashing> {
  const held = createHeld();
  const servers = [await startServer('0.0.0.0', SERVER_PORT, held)];
  for (const port of SERVER_PORTS_V6) servers.push(await startServer('::1', port, held));
  const closeServers = (): void => {
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
  };
  const agent = new http.Agent({ keepAlive: true, maxSockets: IN_FLIGHT });
  let envoy: RunningEnvoy;
  try {
    envoy = await startEnvoy(binary, bootstrap(cases), ADMIN_PORT);
  } catch (error) {
    closeServers();
    throw error;
  }
  return {
    picks: (from, keys) => askAll(agent, from, keys),
    heldPicks: (from, steps) => askHeld(held, from, steps),
    gauges: async (from) =>
      readGauges(await envoy.admin(`/stats?filter=${encodeURIComponent(`^cluster\\.${from.name}\\..*_lb\\.`)}`)),
    async stop() {
      agent.destroy();
      await envoy.stop();
      closeServers();
    },
  };
}

/** Requests that the servers have not answered yet. */
interface Held {
  /** Resolves to the address that was connected to once the request with this label is there. */
  arrival(label: string): Promise<string>;
  arrived(label: string, address: string, answer: () => void): void;
  answer(label: string): void;
}

function createHeld(): Held {
  const waiting = new Map<string, (address: string) => void>();
  const answers = new Map<string, () => void>();
  return {
    arrival: (label) => new Promise((resolve) => waiting.set(label, resolve)),
    arrived(label, address, answer) {
      answers.set(label, answer);
      waiting.get(label)?.(address);
    },
    answer: (label) => answers.get(label)?.(),
  };
}

/** Answers with the address that was connected to; a request that is to be held, when told to. */
function startServer(host: string, port: number, held: Held): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    const { localAddress, localPort } = request.socket;
    const address = addressText({ address: localAddress ?? '', port: localPort ?? 0 });
    const label = request.headers[HELD_HEADER];
    if (typeof label === 'string') held.arrived(label, address, () => response.end(address));
    else response.end(address);
  });
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, () => resolve(server));
  });
}

async function askAll(agent: http.Agent, from: HashCase, keys: readonly string[]): Promise<Map<string, number>> {
  const index = new Map(from.hosts.map((host, at) => [addressText(host), at]));
  const picks = new Map<string, number>();
  const left = keys.entries();
  await Promise.all(
    Array.from({ length: IN_FLIGHT }, async () => {
      for (const [, key] of left) {
        const answer = await ask(agent, from.name, key);
        const host = index.get(answer);
        if (host === undefined) throw new Error(`${from.name}: key ${key} went to "${answer}"`);
        picks.set(key, host);
      }
    }),
  );
  return new Map(keys.map((key) => [key, picks.get(key) ?? -1]));
}

async function askHeld(held: Held, from: HashCase, steps: readonly HeldStep[]): Promise<number[]> {
  const index = new Map(from.hosts.map((host, at) => [addressText(host), at]));
  const agent = new http.Agent({ keepAlive: true });
  const picks: number[] = [];
  const requests: Promise<string>[] = [];
  const answer = async (number: number): Promise<void> => {
    held.answer(`${from.name} ${number}`);
    // Envoy has counted it off when its answer is here.
    await requests[number];
  };
  try {
    for (const step of steps) {
      if ('answer' in step) {
        await answer(step.answer);
        continue;
      }
      const label = `${from.name} ${requests.length}`;
      const arrival = held.arrival(label);
      requests.push(ask(agent, from.name, step.ask, label));
      picks.push(index.get(await Promise.race([arrival, ...requests.slice(-1)])) ?? -1);
    }
  } finally {
    for (const number of requests.keys()) await answer(number);
    agent.destroy();
  }
  return picks;
}

function ask(agent: http.Agent, cluster: string, key: string, label?: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const headers = { [KEY_HEADER]: key, ...(label !== undefined && { [HELD_HEADER]: label }) };
    const options = { agent, port: LISTENER_PORT, path: `/${cluster}/`, headers };
    const request = http.get(options, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => resolve(text));
    });
    request.on('error', reject);
  });
}

function readGauges(text: string): Record<string, number> {
  const gauges: Record<string, number> = {};
  for (const [, name, value] of text.matchAll(/((?:ring_hash|maglev)_lb\.\w+): (\d+)/g)) {
    if (name !== undefined) gauges[name] = Number(value);
  }
  return gauges;
}

const bootstrap = (cases: readonly HashCase[]) => ({
  admin: { address: socketAddress('127.0.0.1', ADMIN_PORT) },
  static_resources: { listeners: [listener(cases)], clusters: cases.map(cluster) },
});

const socketAddress = (address: string, port: number) => ({ socket_address: { address, port_value: port } });

const listener = (cases: readonly HashCase[]) => ({
  name: 'keys',
  address: socketAddress('127.0.0.1', LISTENER_PORT),
  filter_chains: [
    {
      filters: [
        {
          name: 'envoy.filters.network.http_connection_manager',
          typed_config: {
            '@type':
              'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
            stat_prefix: 'keys',
            http_filters: [
              {
                name: 'envoy.filters.http.router',
                typed_config: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
              },
            ],
            route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: cases.map(route) }] },
          },
        },
      ],
    },
  ],
});

const route = ({ name }: HashCase) => ({
  match: { prefix: `/${name}/` },
  route: { cluster: name, timeout: '30s', hash_policy: [{ header: { header_name: KEY_HEADER } }] },
});

function cluster({ name, policy, settings, localities = [{ zone: '', priority: 0, weight: 1 }], hosts }: HashCase) {
  const { minimumRingSize, maximumRingSize, murmur, tableSize, useHostname, localityWeighted, balanceFactor } =
    settings;
  return {
    name,
    // Envoy hashes host names only where it resolves them itself; an address resolves to itself.
    type: useHostname ? 'STRICT_DNS' : 'STATIC',
    connect_timeout: '5s',
    lb_policy: policy,
    ...(policy === 'MAGLEV'
      ? { maglev_lb_config: { ...(tableSize === undefined ? {} : { table_size: tableSize }) } }
      : {
          ring_hash_lb_config: {
            ...(minimumRingSize === undefined ? {} : { minimum_ring_size: minimumRingSize }),
            ...(maximumRingSize === undefined ? {} : { maximum_ring_size: maximumRingSize }),
            ...(murmur ? { hash_function: 'MURMUR_HASH_2' } : {}),
          },
        }),
    common_lb_config: {
      healthy_panic_threshold: { value: settings.panicThreshold ?? 0 },
      ...(useHostname ? { consistent_hashing_lb_config: { use_hostname_for_hashing: true } } : {}),
      ...(balanceFactor === undefined ? {} : { consistent_hashing_lb_config: { hash_balance_factor: balanceFactor } }),
      ...(localityWeighted ? { locality_weighted_lb_config: {} } : {}),
    },
    load_assignment: {
      cluster_name: name,
      endpoints: localities.map(({ zone, priority, weight }, index) => ({
        locality: { region: 'region', zone },
        priority,
        load_balancing_weight: weight,
        lb_endpoints: hosts.filter((host) => (host.locality ?? 0) === index).map(endpoint),
      })),
    },
  };
}

const endpoint = ({ address, port, weight, hashKey, hostname, unhealthy }: CaseHost) => ({
  load_balancing_weight: weight,
  ...(unhealthy ? { health_status: 'UNHEALTHY' } : {}),
  ...(hashKey === undefined ? {} : { metadata: { filter_metadata: { 'envoy.lb': { hash_key: hashKey } } } }),
  endpoint: { address: socketAddress(address, port), ...(hostname === undefined ? {} : { hostname }) },
});
