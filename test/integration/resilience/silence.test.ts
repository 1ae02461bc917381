import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultOf } from '../../../sdk/src/defaults.ts';
import { createMesh, type Mesh } from '../../../sdk/src/mesh.ts';
import { createFakeClock, type FakeClock, settle } from '../../harness/fake-clock.ts';
import { createScriptedAds, type ScriptedAds } from '../../harness/scripted-ads.ts';
import { type Origin, startOrigin } from '../../harness/test-mesh.ts';

/** A control plane that takes the connection and never says a word. */
describe('a control plane that says nothing about a name', () => {
  let origin: Origin;
  let clock: FakeClock;
  let ads: ScriptedAds;
  let mesh: Mesh;

  beforeEach(async () => {
    origin = await startOrigin((_, response) => response.end('as written'));
    clock = createFakeClock();
    ads = createScriptedAds();
  });
  afterEach(async () => {
    await mesh.close();
    await origin.close();
  });

  /** A call to a host that exists, under a policy; settled once told so. */
  async function call(outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY') {
    mesh = createMesh({ transport: ads.transport, outboundPolicy }, { env: {}, clock });
    const answer = { status: 0 };
    const done = mesh.fetch(`http://localhost:${origin.port}/`).then(({ status }) => {
      answer.status = status;
    });
    await expect.poll(() => ads.streams.length).toBe(1);
    await settle();
    return { answer, done };
  }
  const silenceMs = defaultOf('silentControlPlaneMs');

  it.each<['ALLOW_ANY' | 'REGISTRY_ONLY', number]>([
    ['ALLOW_ANY', 200],
    ['REGISTRY_ONLY', 502],
  ])('costs a call 1 s: then %s passes it on or refuses it (%i)', async (policy, status) => {
    const { answer, done } = await call(policy);
    ads.current().up();
    await clock.pass(silenceMs - 1);
    expect(answer.status).toBe(0);
    await clock.pass(1);
    await done;
    expect(answer.status).toBe(status);
    expect(origin.requests).toHaveLength(status === 200 ? 1 : 0);
  });

  it('one that cannot be spoken to has said nothing yet: the call waits for its configuration', async () => {
    const { answer, done } = await call('ALLOW_ANY');
    await clock.pass(silenceMs * 2);
    expect(answer.status).toBe(0);
    await clock.pass(defaultOf('configTimeoutMs'));
    await done;
    expect(answer.status).toBe(503);
    expect(origin.requests).toEqual([]);
  });
});
