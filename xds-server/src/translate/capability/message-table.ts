import { GRPC_CLIENTS, type KnownGrpcClient } from '../client/grpc-client.ts';

export const COLUMNS = [...GRPC_CLIENTS, 'envoy'] as const;
type Column = (typeof COLUMNS)[number];

/** What becomes of a field at one kind of client. */
export type Cell =
  | 'supported'
  | { readonly ignored: string }
  /** The resource is refused: it is never sent so. */
  | { readonly rejected: string }
  /** The control plane says it in another way. */
  | { readonly sentAs: string };

export type Capability = Readonly<Record<Column, Cell>>;

/** The fields of one message: names as the .proto writes them, separated by spaces. Envoy reads its own fields unless it says otherwise. */
export interface MessageCapabilities {
  /** What every gRPC client does. */
  readonly grpc?: string;
  /** What some of them do: cells of the others. */
  readonly partly?: Readonly<Record<string, Readonly<Partial<Record<KnownGrpcClient, Cell>>>>>;
  /** How it is said instead → the fields. */
  readonly sentAs?: Readonly<Record<string, string>>;
  /** Why every gRPC client refuses a resource with it → the fields. */
  readonly rejected?: Readonly<Record<string, string>>;
  /** Why every gRPC client ignores them → the fields. */
  readonly ignored?: Readonly<Record<string, string>>;
  /** Why gRPC clients ignore all other fields. */
  readonly rest?: string;
  /** Why Envoy ignores them → the fields. */
  readonly envoy?: Readonly<Record<string, string>>;
}

/** By full name of the message. */
export type MessageTable = Readonly<Record<string, MessageCapabilities>>;

const names = (list = ''): readonly string[] => list.split(/\s+/).filter((name) => name !== '');

const reasonIn = (reasons: Readonly<Record<string, string>> | undefined, name: string): string | undefined =>
  Object.entries(reasons ?? {}).find(([, list]) => names(list).includes(name))?.[0];

/** The fields that a message's entry names; whatever else it has is the rest. */
export const namedFields = ({ grpc, partly, envoy, ...all }: MessageCapabilities): readonly string[] => [
  ...names(grpc),
  ...Object.keys(partly ?? {}),
  ...[all.sentAs, all.rejected, all.ignored, envoy].flatMap((reasons) => Object.values(reasons ?? {}).flatMap(names)),
];

/** One field's cells; undefined: nothing is said of it. */
export const cellsOf = (message: MessageCapabilities, name: string): Capability | undefined => {
  const envoyReason = reasonIn(message.envoy, name);
  const envoy: Cell = envoyReason === undefined ? 'supported' : { ignored: envoyReason };
  const partly = message.partly?.[name];
  if (partly !== undefined) {
    const cell = (client: KnownGrpcClient): Cell => partly[client] ?? 'supported';
    return { go: cell('go'), core: cell('core'), java: cell('java'), node: cell('node'), envoy };
  }
  const all = cellOfAll(message, name);
  return all && { go: all, core: all, java: all, node: all, envoy };
};

const cellOfAll = ({ grpc, sentAs, rejected, ignored, rest }: MessageCapabilities, name: string): Cell | undefined => {
  if (names(grpc).includes(name)) return 'supported';
  const how = reasonIn(sentAs, name);
  if (how !== undefined) return { sentAs: how };
  const why = reasonIn(rejected, name);
  if (why !== undefined) return { rejected: why };
  const because = reasonIn(ignored, name) ?? rest;
  return because === undefined ? undefined : { ignored: because };
};
