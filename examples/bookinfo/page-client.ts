import { Agent, request } from 'node:http';

export interface PageRequest {
  readonly path: string;
  readonly user: string | undefined;
  readonly headers: Record<string, string>;
}

/** What a page tells its reader. */
export interface PageAnswer {
  /** Of reviews; `unavailable` where the page had to do without them. */
  readonly version: string;
  /** The reviews have stars. */
  readonly hasRatings: boolean;
  readonly ms: number;
}

interface PlainReply {
  readonly status: number;
  readonly setCookie: readonly string[];
  readonly body: string;
}

/** A plain HTTP client: knows nothing of the mesh, signs in through the form as a person would. */
export class PageClient {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true, maxSockets: 128 });
  readonly #sessions = new Map<string, Promise<string>>();

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** What the page shows; throws where the page itself is not a 200. */
  async view({ path, user, headers }: PageRequest): Promise<PageAnswer> {
    const cookies = [headers.cookie, user === undefined ? undefined : await this.#session(user)].filter(
      (text) => text !== undefined,
    );
    const start = performance.now();
    const reply = await this.#send('GET', path, {
      ...headers,
      ...(cookies.length > 0 ? { cookie: cookies.join('; ') } : {}),
    });
    const version = /data-reviews="([^"]*)"/.exec(reply.body)?.[1];
    if (reply.status !== 200 || version === undefined) throw new Error(`${path} answered ${reply.status}`);
    return { version, hasRatings: reply.body.includes('class="stars'), ms: performance.now() - start };
  }

  close(): void {
    this.#agent.destroy();
  }

  #session(user: string): Promise<string> {
    const known = this.#sessions.get(user);
    if (known) return known;
    const fresh = this.#signIn(user);
    this.#sessions.set(user, fresh);
    return fresh;
  }

  async #signIn(user: string): Promise<string> {
    const type = { 'content-type': 'application/x-www-form-urlencoded' };
    const reply = await this.#send('POST', '/login', type, new URLSearchParams({ username: user }).toString());
    const cookie = reply.setCookie[0]?.split(';')[0];
    if (cookie === undefined) throw new Error(`signing in as ${user} answered ${reply.status} without a cookie`);
    return cookie;
  }

  #send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<PlainReply> {
    return new Promise((resolve, reject) => {
      const outgoing = request(
        new URL(path, this.#url),
        { method, headers, agent: this.#agent, timeout: 30_000 },
        (incoming) => {
          incoming.setEncoding('utf8');
          let text = '';
          incoming.on('data', (chunk: string) => {
            text += chunk;
          });
          incoming.on('end', () =>
            resolve({ status: incoming.statusCode ?? 0, setCookie: incoming.headers['set-cookie'] ?? [], body: text }),
          );
          incoming.on('error', reject);
        },
      );
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in 30 s')));
      outgoing.on('error', reject);
      outgoing.end(body);
    });
  }
}
