import { setImmediate as turn } from 'node:timers/promises';
import type { Mesh, MeshResponse } from '@inmesh/sdk';
import type { Random } from '@inmesh/sdk/internal/clock';

/** When a call is given up, and how. */
export const STAGES = [
  'never',
  /** The signal is aborted before the call. */
  'before',
  /** In the same turn. */
  'at once',
  'next turn',
  /** Somewhere on the way. */
  'soon',
  'at the head',
  'in the body',
  /** The body is cancelled instead. */
  'cancel',
] as const;

type Stage = (typeof STAGES)[number];

const PATHS = ['/retry', '/hedge', '/mirror', '/fault', '/plain'];

/** What endpoints do, attempt by attempt; more often than not they answer. */
const SCRIPTS = [
  ...Array<string>(80).fill('ok'),
  ...['ok;wait=2', 'ok;wait=20', '503', '503,ok', '500', '429', 'reset', 'reset,ok', 'close', 'close,ok'],
  ...['stall', 'stall,ok', 'reset-headers', 'reset-body', 'truncate', 'stall-body'],
];
const HTTP2_SCRIPTS = ['refuse', 'refuse,ok', 'rst;code=2', 'rst;code=0', 'goaway'];

const oneOf = <T>(list: readonly T[], random: Random): T => list[random() % list.length] as T;

/** How a call went, in a word. */
export type Ended = string;

export interface SoakCall {
  readonly number: number;
  readonly random: Random;
  /** Chance says it otherwise. */
  readonly stage: Stage | undefined;
  /** Hears what kind of call it is. */
  tell(kind: string): void;
}

/** One call of whatever kind chance wants. Never rejects. */
export async function callOnce(mesh: Mesh, call: SoakCall): Promise<Ended> {
  const { random } = call;
  const stage = call.stage ?? (random() % 4 === 0 ? oneOf(STAGES, random) : 'never');
  const controller = new AbortController();
  const { signal } = controller;
  if (stage === 'before') controller.abort(GIVEN_UP);
  try {
    const calling = start(mesh, call, stage, signal);
    const giving = giveUp(stage, controller, random);
    const response = await calling;
    await giving;
    if (stage === 'at the head') controller.abort(GIVEN_UP);
    if (stage === 'cancel') await response.body?.cancel();
    else if (stage === 'in the body') await readUntilGivenUp(response, controller);
    else await response.arrayBuffer();
    const story = (response as MeshResponse).mesh;
    return `${response.status} ${story?.flags.join() ?? ''}`;
  } catch (error) {
    if (error === GIVEN_UP) return 'aborted';
    return error instanceof Error ? `${error.name} ${'code' in error ? error.code : error.message}` : String(error);
  }
}

/** A body of its own, with a reason that can be told from every failure. */
const GIVEN_UP = new Error('given up');

function start(mesh: Mesh, call: SoakCall, stage: Stage, signal: AbortSignal): Promise<Response> {
  const { number, random } = call;
  const host = random() % 3 === 0 ? 'two' : 'one';
  const url = `http://${host}${oneOf(PATHS, random)}/${number % 100}`;
  const scripts = host === 'two' ? [...SCRIPTS, ...HTTP2_SCRIPTS] : SCRIPTS;
  // Node's HTTP/2 server (24.21) ends its process when DATA comes for a stream it has just closed: no bodies to `two`.
  const script = oneOf(scripts, random);
  const headers = { 'x-call': String(number), 'x-script': script };
  const init = { headers, signal, mesh: { timeoutMs: 3_000 }, ...(host === 'one' && bodyOf(random)) };
  const hasBreaker = random() % 10 === 0;
  call.tell(`${init.method ?? 'GET'} ${url} ${script}, given up: ${stage}${hasBreaker ? ', behind a breaker' : ''}`);
  if (!hasBreaker) return mesh.fetch(url, init);
  return mesh.breaker(host, { volumeThreshold: 50, resetMs: 100 }).fetch(url, init);
}

function bodyOf(random: Random): RequestInit {
  switch (random() % 8) {
    case 0:
      return { method: 'PUT', body: 'a body that can be sent again' };
    case 1:
      return { method: 'POST', body: 'one that is sent once' };
    case 2: {
      const body = new ReadableStream({
        async pull(controller) {
          await turn();
          controller.enqueue(new Uint8Array(100));
          controller.close();
        },
      });
      return { method: 'PUT', body, duplex: 'half' } as RequestInit;
    }
    default:
      return {};
  }
}

async function giveUp(stage: Stage, controller: AbortController, random: Random): Promise<void> {
  if (stage === 'at once') controller.abort(GIVEN_UP);
  if (stage === 'next turn') {
    await turn();
    controller.abort(GIVEN_UP);
  }
  if (stage === 'soon') setTimeout(() => controller.abort(GIVEN_UP), random() % 6);
}

async function readUntilGivenUp({ body }: Response, controller: AbortController): Promise<void> {
  const reader = body?.getReader();
  await reader?.read();
  controller.abort(GIVEN_UP);
  await reader?.read();
}
