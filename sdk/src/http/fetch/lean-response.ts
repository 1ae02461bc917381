import { Readable } from 'node:stream';
import type { ReadableByteStreamController } from 'node:stream/web';
import type { CallStory } from '../../model/events.ts';
import type { BodySource, ResponseKind } from '../platform-types.ts';
import type { ResponseBody } from './response-body.ts';

/** What a response says before its body. */
export interface ResponseHead {
  readonly status: number;
  readonly statusText: string;
  /** Flat, lower case. */
  readonly headers: readonly string[];
  readonly url: string;
  readonly redirected: boolean;
  /** Read when it is asked for: it grows until the body has ended. */
  readonly story: () => CallStory | undefined;
}

/** A stream or response nobody holds any more gives its call up. Told apart by the body, which both of them keep. */
const dropped = new FinalizationRegistry<ResponseBody>((body) =>
  body.abandon(new TypeError('terminated', { cause: new Error('the response was garbage collected unread') })),
);

/**
 * A body that is over is not watched any more: the error it failed with may hold, by the frames of its stack, the very
 * stream that is watched, which then would never be dropped.
 */
function watchFor(object: object, body: ResponseBody): void {
  dropped.register(object, body, body);
  body.onOver = forget;
}

const forget = (body: ResponseBody): void => {
  dropped.unregister(body);
};

/**
 * fetch's Response without what it costs: the platform's own by prototype, so `instanceof` holds, with every member
 * overridden, since the inherited ones read private state this object does not have. Headers, streams and blobs are made
 * when they are asked for.
 */
export class LeanResponse {
  readonly #head: ResponseHead;
  #body: ResponseBody | null;
  #stream: ReadableStream<Uint8Array> | undefined;
  #headers: Headers | undefined;
  #isUsed = false;

  constructor(head: ResponseHead, body: ResponseBody | null) {
    this.#head = head;
    this.#body = body;
  }

  /** As the platform's: what holds it must not leak the connection when it forgets it. */
  static create(head: ResponseHead, body: ResponseBody | null): Response {
    adoptPlatform();
    return new LeanResponse(head, body) as unknown as Response;
  }

  /** Once it is known that the body has not come with the head. */
  static watch(response: Response, body: ResponseBody): void {
    watchFor(response, body);
  }

  get mesh(): CallStory | undefined {
    return this.#head.story();
  }

  get type(): ResponseKind {
    return 'basic';
  }

  get url(): string {
    const { url } = this.#head;
    const fragment = url.indexOf('#');
    return fragment < 0 ? url : url.slice(0, fragment);
  }

  get redirected(): boolean {
    return this.#head.redirected;
  }

  get status(): number {
    return this.#head.status;
  }

  get ok(): boolean {
    return this.#head.status >= 200 && this.#head.status <= 299;
  }

  get statusText(): string {
    return this.#head.statusText;
  }

  get headers(): Headers {
    this.#headers ??= immutableHeaders(this.#head.headers);
    return this.#headers;
  }

  get body(): ReadableStream<Uint8Array> | null {
    if (this.#body === null) return null;
    this.#stream ??= this.#isUsed ? spentStream() : streamOf(this.#body);
    return this.#stream;
  }

  get bodyUsed(): boolean {
    return this.#isUsed || (this.#stream !== undefined && Readable.isDisturbed(this.#stream as unknown as Readable));
  }

  clone(): Response {
    if (this.bodyUsed || this.#stream?.locked === true) {
      throw new TypeError('Response.clone: Body has already been consumed.');
    }
    const twin = new LeanResponse(this.#head, this.#body);
    const stream = this.body;
    if (stream !== null) [this.#stream, twin.#stream] = stream.tee();
    return twin as unknown as Response;
  }

  async json(): Promise<unknown> {
    return JSON.parse(decodeText(await this.#consume()));
  }

  async text(): Promise<string> {
    return decodeText(await this.#consume());
  }

  async bytes(): Promise<Uint8Array> {
    return new Uint8Array(await this.#consume());
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return new Uint8Array(await this.#consume()).buffer;
  }

  async blob(): Promise<Blob> {
    return (await this.#platform()).blob();
  }

  async formData(): Promise<FormData> {
    return (await this.#platform()).formData();
  }

  /** The members that parse a media type are the platform's own. */
  async #platform(): Promise<Response> {
    const bytes = await this.#consume();
    const type = this.headers.get('content-type');
    return new Response(bytes as BodySource, type === null ? {} : { headers: { 'content-type': type } });
  }

  async #consume(): Promise<Uint8Array> {
    if (this.bodyUsed || this.#stream?.locked === true) {
      throw new TypeError('Body is unusable: Body has already been read');
    }
    const body = this.#body;
    if (body === null) return NOTHING;
    this.#isUsed = true;
    if (this.#stream !== undefined) return readAll(this.#stream);
    if (body.isWhole) return body.takeWhole();
    // From here on the reader is whoever waits, not this object.
    dropped.unregister(body);
    return body.collect();
  }
}

const NOTHING = new Uint8Array(0);
let isAdopted = false;

/** On first use, not on import: to touch the platform's Response loads the whole of its fetch. */
function adoptPlatform(): void {
  if (isAdopted) return;
  isAdopted = true;
  const { prototype } = globalThis.Response;
  Object.setPrototypeOf(LeanResponse.prototype, prototype);
  Object.defineProperty(LeanResponse.prototype, 'constructor', {
    value: globalThis.Response,
    writable: true,
    configurable: true,
  });
}

/** Byte order mark removed, broken sequences replaced (WHATWG "UTF-8 decode"). */
function decodeText(bytes: Uint8Array): string {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? text.toString('utf8', 3) : text.toString('utf8');
}

let Immutable: (new (init: [string, string][]) => Headers) | undefined;

/** Real Headers with fetch's "immutable" guard. */
function immutableHeaders(list: readonly string[]): Headers {
  Immutable ??= immutableClass();
  const pairs: [string, string][] = [];
  for (let index = 0; index < list.length; index += 2) pairs.push([list[index] ?? '', list[index + 1] ?? '']);
  return new Immutable(pairs);
}

function immutableClass(): new (init: [string, string][]) => Headers {
  const refuse = (): never => {
    throw new TypeError('immutable');
  };
  class ImmutableHeaders extends Headers {}
  for (const name of ['append', 'delete', 'set'])
    Object.defineProperty(ImmutableHeaders.prototype, name, { value: refuse });
  return ImmutableHeaders;
}

/** A byte stream over the body, read only as far as somebody asks. */
function streamOf(body: ResponseBody): ReadableStream<Uint8Array> {
  const source = {
    type: 'bytes' as const,
    async pull(controller: ReadableByteStreamController) {
      const chunk = await body.next();
      if (chunk === undefined) {
        controller.close();
        controller.byobRequest?.respond(0);
        return;
      }
      // A copy: a byte stream takes the buffer over, and this one may be a slice of what the socket read.
      controller.enqueue(new Uint8Array(chunk));
    },
    cancel(reason: unknown) {
      body.abandon(reason ?? new DOMException('The operation was aborted.', 'AbortError'));
    },
  };
  dropped.unregister(body);
  if (!body.hasEnded) watchFor(source, body);
  return new ReadableStream(source, { highWaterMark: 0 });
}

/** What `body` is after `text()` and its kin: locked and disturbed. */
function spentStream(): ReadableStream<Uint8Array> {
  const stream: ReadableStream<Uint8Array> = new ReadableStream({
    type: 'bytes',
    start: (controller) => controller.close(),
  });
  void stream.getReader().read();
  return stream;
}

async function readAll(stream: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const reader = stream.getReader();
  const chunks: Uint8Array[] = [];
  for (let step = await reader.read(); !step.done; step = await reader.read()) chunks.push(step.value);
  return Buffer.concat(chunks);
}
