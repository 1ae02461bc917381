import { clusterType } from '@inmesh/sdk/internal/resource/cluster/cluster';
import { loadAssignmentType } from '@inmesh/sdk/internal/resource/endpoint/load-assignment';
import { listenerType } from '@inmesh/sdk/internal/resource/listener/listener';
import type { ResourceType } from '@inmesh/sdk/internal/resource/resource-type';
import { routeConfigurationType } from '@inmesh/sdk/internal/resource/route/route-configuration';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arbitraryMesh, RESOURCES, toYaml, VIEWS } from './fixtures/arbitrary-mesh.ts';
import { objectsOf, worldFromObjects } from './fixtures/world-from-yaml.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from './resource-types.ts';
import { TRANSLATORS } from './translate.ts';
import type { World } from './world.ts';

const bytes = (world: World) =>
  VIEWS.flatMap((view) =>
    RESOURCES.map(([typeUrl, name]) => {
      const made = TRANSLATORS.get(typeUrl)?.(world, view, name);
      return `${view.namespace} ${typeUrl} ${name} ${made && Buffer.from(made).toString('base64')}`;
    }),
  );

/** Secrets are not among them: what looks like a certificate here is none. */
const DECODERS = new Map<string, ResourceType<unknown>>([
  [LISTENER_TYPE, listenerType],
  [ROUTE_TYPE, routeConfigurationType],
  [CLUSTER_TYPE, clusterType],
  [ENDPOINT_TYPE, loadAssignmentType],
]);

describe('translate, for random meshes', () => {
  it('is the same to the byte in whatever order the objects come', () => {
    const shuffled = arbitraryMesh.chain((mesh) =>
      fc.tuple(fc.constant(mesh), fc.shuffledSubarray([...mesh], { minLength: mesh.length })),
    );
    fc.assert(
      fc.property(shuffled, ([mesh, other]) => {
        expect(bytes(worldFromObjects(objectsOf(toYaml(other))))).toEqual(
          bytes(worldFromObjects(objectsOf(toYaml(mesh)))),
        );
      }),
      { numRuns: 40 },
    );
  }, 120_000);

  it('makes only what the SDK’s own decoder takes without an error', () => {
    fc.assert(
      fc.property(arbitraryMesh, (mesh) => {
        const world = worldFromObjects(objectsOf(toYaml(mesh)));
        for (const view of VIEWS) {
          for (const [typeUrl, name] of RESOURCES) {
            const made = TRANSLATORS.get(typeUrl)?.(world, view, name);
            const decoded = made && DECODERS.get(typeUrl)?.decode(made);
            if (decoded && 'errors' in decoded) expect.fail(`${name}: ${decoded.errors.join('; ')}`);
            if (decoded) expect(decoded.name).toBe(name);
          }
        }
      }),
      { numRuns: 60 },
    );
  }, 120_000);
});
