import { create } from '@bufbuild/protobuf';
import type { Clock } from '@inmesh/sdk/internal/clock';
import { NodeSchema } from '@inmesh/sdk/internal/gen/core';
import { expect, it } from 'vitest';
import { viewFrom } from '../translate/fixtures/world-from-yaml.ts';
import { LISTENER_TYPE } from '../translate/resource-types.ts';
import { clientIdentity } from './client-identity.ts';
import { ReturnGrace } from './return-grace.ts';

it('is over when its timer says so, though the clock shows a moment less', () => {
  const timers: (() => void)[] = [];
  const clock: Clock = {
    now: () => 0,
    wallTime: () => 0,
    after(_, run) {
      timers.push(run);
      return { cancel: () => {} };
    },
  };
  const client = { ...clientIdentity(create(NodeSchema, {})), view: viewFrom('default', { kind: 'grpc' }) };
  let pushes = 0;
  const grace = new ReturnGrace(
    clock,
    () => 'configured',
    () => pushes++,
  );
  const isHeldBack = (): boolean => grace.waits(client, LISTENER_TYPE)?.('echo:7070', '1', undefined) ?? false;
  expect(isHeldBack()).toBe(false);
  grace.begin();
  expect(isHeldBack()).toBe(true);
  for (const run of timers) run();
  expect({ pushes, isHeldBack: isHeldBack() }).toEqual({ pushes: 2, isHeldBack: false });
});
