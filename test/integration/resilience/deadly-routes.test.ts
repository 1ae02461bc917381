import { readFileSync } from 'node:fs';
import path from 'node:path';
import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { registry } from '../../../sdk/gen/registry.js';
import { RouteConfigurationSchema } from '../../../sdk/gen/route.js';
import type { MeshEvent } from '../../../sdk/src/model/events.ts';
import { CLUSTER, startTestMesh, type TestMesh } from '../../harness/test-mesh.ts';

/** The two kinds of route configuration that end a process with grpc-js-xds, pushed to a client in good health. */
const FOLDER = path.join(import.meta.dirname, '../../fixtures/deadly-routes');

function fixture(name: string) {
  const json = JSON.parse(readFileSync(path.join(FOLDER, `${name}.json`), 'utf8')) as JsonValue;
  const value = toBinary(RouteConfigurationSchema, fromJson(RouteConfigurationSchema, json, { registry }));
  return { typeUrl: `type.googleapis.com/${RouteConfigurationSchema.typeName}`, value };
}

describe('routes that end other clients', () => {
  let world: TestMesh;
  const events: MeshEvent[] = [];

  beforeEach(async () => {
    events.length = 0;
    world = await startTestMesh((_, response) => response.end('fine'));
    world.mesh.on((event) => events.push(event));
    expect((await world.mesh.fetch(world.url)).status).toBe(200);
  });
  afterEach(() => world[Symbol.asyncDispose]());

  /** Resolves with the first event of a kind that comes after the push. */
  async function push(name: string, kind: MeshEvent['kind']): Promise<MeshEvent> {
    const heard = Promise.withResolvers<MeshEvent>();
    const off = world.mesh.on((event) => event.kind === kind && heard.resolve(event));
    world.ads.set(CLUSTER, fixture(name));
    const event = await heard.promise;
    off();
    return event;
  }

  it.each([
    ['invalid-regex', 'virtual_hosts[0].routes[0].match.safe_regex.regex: "/(unclosed" is no regular expression (RE2)'],
    ['invalid-header-regex', '"a(?=b)" is no regular expression (RE2)'],
  ])('%s: refused by name and place, the last good routes go on', async (name, fault) => {
    expect(await push(name, 'xds-nack')).toMatchObject({
      errors: [expect.stringContaining(`${CLUSTER}: `)],
    });
    expect(events.flatMap((event) => (event.kind === 'xds-nack' ? event.errors : [])).join()).toContain(fault);
    expect(await (await world.mesh.fetch(world.url)).text()).toBe('fine');
    const { notes } = await world.mesh.explain({ url: world.url });
    expect(notes.join('\n')).toContain(`RouteConfiguration "${CLUSTER}": version`);
    expect(notes.join('\n')).toContain(fault);
    const { genericXdsConfigs } = await world.mesh.csds();
    expect(genericXdsConfigs.map(({ clientStatus }) => clientStatus).sort()).toEqual([
      'ACKED',
      'ACKED',
      'ACKED',
      'NACKED',
    ]);
    expect(genericXdsConfigs.find(({ clientStatus }) => clientStatus === 'NACKED')).toMatchObject({
      name: CLUSTER,
      versionInfo: expect.any(String),
      errorState: { details: expect.stringContaining(fault) },
    });
  });

  it('non_forwarding_action: taken, and only the calls of that route fail (gRFC A39)', async () => {
    await push('non-forwarding-action', 'config-swapped');
    expect((await world.mesh.fetch(`${world.url}/inbound`)).status).toBe(503);
    expect(await (await world.mesh.fetch(`${world.url}/other`)).text()).toBe('fine');
  });
});
