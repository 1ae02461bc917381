import { noMetadata } from './metadata.ts';
import type {
  GrpcAuthContext,
  GrpcCall,
  GrpcCallCredentials,
  GrpcListener,
  GrpcMessageContext,
  GrpcMetadata,
} from './types.ts';

const INTERNAL = 13;

/** A call whose code is still being loaded: what is asked of it is done then, in order. */
export class DeferredCall implements GrpcCall {
  readonly #number: number;
  readonly #target: string;
  #call: GrpcCall | undefined;
  #asked: ((call: GrpcCall) => void)[] = [];
  #isStarting = false;

  constructor(number: number, target: string, made: Promise<GrpcCall>) {
    this.#number = number;
    this.#target = target;
    made.then(
      (call) => {
        this.#call = call;
        for (const ask of this.#asked.splice(0)) ask(call);
      },
      (error: unknown) => this.#become(new FailedCall(error)),
    );
  }

  cancelWithStatus(status: number, details: string): void {
    this.#ask((call) => call.cancelWithStatus(status, details));
  }

  start(metadata: GrpcMetadata, listener: GrpcListener): void {
    this.#ask((call) => call.start(metadata, listener));
    this.#isStarting = true;
    process.nextTick(() => {
      this.#isStarting = false;
    });
  }

  sendMessageWithContext(context: GrpcMessageContext, message: Buffer): void {
    this.#ask((call) => call.sendMessageWithContext(context, message));
  }

  startRead(): void {
    // Whether it came with the start tells a unary call from a stream.
    if (this.#isStarting) this.#ask((call) => call.startRead());
    else this.#ask((call) => process.nextTick(() => call.startRead()));
  }

  halfClose(): void {
    this.#ask((call) => call.halfClose());
  }

  setCredentials(credentials: GrpcCallCredentials): void {
    this.#ask((call) => call.setCredentials(credentials));
  }

  getPeer(): string {
    return this.#call?.getPeer() ?? this.#target;
  }

  getCallNumber(): number {
    return this.#number;
  }

  getAuthContext(): GrpcAuthContext | null {
    return this.#call === undefined ? null : this.#call.getAuthContext();
  }

  #ask(what: (call: GrpcCall) => void): void {
    if (this.#call === undefined) this.#asked.push(what);
    else what(this.#call);
  }

  #become(call: GrpcCall): void {
    this.#call = call;
    for (const ask of this.#asked.splice(0)) ask(call);
  }
}

/** Its code could not be loaded. */
class FailedCall implements GrpcCall {
  readonly #error: unknown;

  constructor(error: unknown) {
    this.#error = error;
  }

  start(metadata: GrpcMetadata, listener: GrpcListener): void {
    const details = this.#error instanceof Error ? this.#error.message : String(this.#error);
    queueMicrotask(() => listener.onReceiveStatus({ code: INTERNAL, details, metadata: noMetadata(metadata) }));
  }

  cancelWithStatus(): void {}
  sendMessageWithContext(context: GrpcMessageContext): void {
    context.callback?.();
  }
  startRead(): void {}
  halfClose(): void {}
  setCredentials(): void {}
  getPeer = (): string => '';
  getCallNumber = (): number => 0;
  getAuthContext = (): null => null;
}
