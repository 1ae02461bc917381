import type { WireRequest } from '../connection/exchange.ts';
import type { MeshRequest } from '../model/request.ts';
import { changesAnswer, changesRequest, incomingHeaders, outgoingRequest } from '../route/outgoing.ts';
import type { BodySource, CallBody } from './body-source.ts';
import { sessionOf, type Way } from './plan.ts';
import { type RequestTimes, wireHeaders } from './request-head.ts';
import { sessionHeaders } from './session.ts';
import type { CallOptions, CallRuntime } from './types.ts';

export interface HeadsParts {
  readonly runtime: CallRuntime;
  readonly request: MeshRequest;
  readonly body: CallBody;
  readonly options: CallOptions;
}

/** The heads of a forwarded call: of each attempt's request as it goes out, and of the answer as it goes to the caller. */
export class Heads {
  readonly #parts: HeadsParts;
  readonly #source: BodySource | undefined;
  /** Where the attempts go that follow. */
  way: Way;
  /** As it went out last, and for which attempt. */
  #outgoing: MeshRequest;
  #attempt = 1;

  constructor(parts: HeadsParts, source: BodySource | undefined, way: Way) {
    this.#parts = parts;
    this.#source = source;
    this.way = way;
    this.#outgoing = parts.request;
  }

  /** For each attempt anew: its number and the endpoint's host name may be part of it. */
  outgoing(attempt: number, hostname: string | undefined): MeshRequest {
    const { request, runtime } = this.#parts;
    this.#attempt = attempt;
    this.#outgoing = changesRequest(this.way)
      ? outgoingRequest({ ...this.way, hostname, attempt }, request, runtime.clock.wallTime())
      : request;
    return this.#outgoing;
  }

  requestFor(attempt: number, hostname: string | undefined, times: RequestTimes | undefined): WireRequest {
    const { body, options } = this.#parts;
    const outgoing = this.outgoing(attempt, hostname);
    const { method, path } = outgoing;
    const sent = body.kind === 'bytes' ? body.bytes : (this.#source?.reader() ?? null);
    const headers = wireHeaders(outgoing, body, times);
    return { method, path, headers, body: sent, upgrade: options.upgrade ?? null };
  }

  /** `address`: the host's that answers, where a session may want to know. */
  answer(status: number, headers: string[], address: string | undefined): string[] {
    const { request, runtime } = this.#parts;
    const { decision, cluster, setCookies } = this.way;
    let mutated = headers;
    if (changesAnswer(this.way)) {
      const context = { request: this.#outgoing, asked: request, status, attempt: this.#attempt };
      mutated = incomingHeaders(decision, cluster, headers, context);
    }
    for (const cookie of setCookies) mutated.push('set-cookie', cookie);
    const statefulSession = sessionOf(this.way);
    if (statefulSession === undefined || address === undefined) return mutated;
    const told = sessionHeaders(statefulSession, request, address, runtime.clock.wallTime());
    return told.length === 0 ? mutated : [...mutated, ...told];
  }
}
