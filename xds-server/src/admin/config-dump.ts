import { fromBinary, type JsonValue, toJson } from '@bufbuild/protobuf';
import { AnySchema } from '@bufbuild/protobuf/wkt';
import type { Session } from '../discovery/session.ts';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import { shortType } from './metrics.ts';
import { isShown } from './shown.ts';

type Lookup = (typeUrl: string, name: string) => EncodedResource | undefined;

/** Everything that the streams subscribe to, as JSON: by type, then name; null where it does not exist. */
export async function configDump(sessions: readonly Pick<Session, 'names'>[], lookup: Lookup): Promise<JsonValue> {
  const { registry } = await import('@inmesh/sdk/internal/gen/registry');
  const dump = new Map<string, Map<string, JsonValue>>();
  for (const [typeUrl, names] of sessions.flatMap((session) => [...session.names])) {
    const type = shortType(typeUrl);
    const resources = dump.get(type) ?? new Map<string, JsonValue>();
    dump.set(type, resources);
    for (const name of names) {
      const found = lookup(typeUrl, name);
      resources.set(
        name,
        found === undefined
          ? null
          : {
              version: found.version,
              ...(isShown(typeUrl) && { resource: toJson(AnySchema, fromBinary(AnySchema, found.any), { registry }) }),
            },
      );
    }
  }
  return Object.fromEntries([...dump].map(([type, resources]) => [type, Object.fromEntries(resources)]));
}
