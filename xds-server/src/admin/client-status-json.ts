import { create, type JsonValue, toJson } from '@bufbuild/protobuf';
import type { ClientStatusSubject } from './client-status.ts';

/** Of one node id, or of all. */
export interface ClientStatusQuery {
  readonly client: string | undefined;
  readonly withContents: boolean;
}

/** The answer of CSDS as proto3 JSON, for people with curl. */
export async function clientStatusJson(
  subject: ClientStatusSubject,
  { client, withContents }: ClientStatusQuery,
): Promise<JsonValue> {
  const [{ clientStatus }, { registry }, { ClientStatusRequestSchema, ClientStatusResponseSchema }] = await Promise.all(
    [
      import('./client-status.ts'),
      import('@inmesh/sdk/internal/gen/registry'),
      import('@inmesh/sdk/internal/gen/services'),
    ],
  );
  const isMeant = (id: string | undefined): boolean => client === undefined || id === client;
  const found = await clientStatus(
    { ...subject, sessions: () => subject.sessions().filter(({ identity }) => isMeant(identity?.id)) },
    create(ClientStatusRequestSchema, { excludeResourceContents: !withContents }),
  );
  // Without matchers there is none that cannot be read.
  return 'error' in found ? found.error : toJson(ClientStatusResponseSchema, found, { registry });
}
