import type { ConnectFailure } from '../connection/connect-failure.ts';
import { MeshError, type MeshErrorCode, type MeshErrorInit } from '../errors.ts';
import type { ResponseFlag } from '../model/events.ts';
import type { LiveConnectionStory } from './story.ts';

interface Failure extends Pick<MeshErrorInit, 'hint' | 'cause'> {
  readonly flag?: ResponseFlag;
}

/** What a caller of `mesh.connect` gets; the story has its flag too. */
export function connectError(
  story: LiveConnectionStory,
  code: MeshErrorCode,
  what: string,
  failure: Failure = {},
): MeshError {
  if (failure.flag !== undefined) story.raise(failure.flag);
  const error = new MeshError(code, `${story.target}: ${what}`, failure);
  error.mesh = story;
  return error;
}

/** A name without an address is what STRICT_DNS calls a cluster without hosts. */
export const flagOf = (failure: ConnectFailure): ResponseFlag => (failure.kind === 'name' ? 'UH' : 'UF');
