import { type Clock, holdProcess } from '../clock.ts';
import { MeshError } from '../errors.ts';
import { targetOf } from '../http/dialled.ts';
import type { Core } from './core.ts';
import type { Events } from './events.ts';

export interface ReadyParts {
  readonly core: Promise<Core>;
  readonly events: Events;
  readonly clock: Clock;
  readonly hosts: readonly string[];
  readonly timeoutMs: number;
}

/** Resolves once the control plane can be spoken to and every host is warm; rejects naming what is missing. */
export async function waitUntilReady({ core, events, clock, hosts, timeoutMs }: ReadyParts): Promise<void> {
  const targets = hosts.map(targetOf);
  const hold = holdProcess();
  let giveUp = (): void => {};
  const isOver = new Promise<'over'>((resolve) => {
    giveUp = () => resolve('over');
  });
  const timer = clock.after(timeoutMs, giveUp);
  try {
    const running = await Promise.race([core, isOver]);
    if (running === 'over' || (await Promise.race([running.discovery.connected(), isOver])) === 'over') {
      throw missing(
        `the control plane${running === 'over' ? '' : ` ${running.discovery.status().server}`} has not answered`,
      );
    }
    const cold = await Promise.race([allWarm(running, targets, events), isOver]);
    if (cold === 'over') throw missing(coldOnes(running, targets).join('; '));
  } finally {
    timer.cancel();
    hold.cancel();
  }
}

/** A name the control plane does not know today may be known in a moment: services start side by side. */
function allWarm(core: Core, targets: readonly string[], events: Events): Promise<void> {
  return new Promise((resolve) => {
    const check = (): void => {
      if (coldOnes(core, targets).length > 0) return;
      off();
      resolve();
    };
    const off = events.on((event) => {
      if (event.kind === 'config-swapped') queueMicrotask(check);
    });
    queueMicrotask(check);
  });
}

function coldOnes(core: Core, targets: readonly string[]): string[] {
  return targets.flatMap((target) => {
    const state = core.lookup(target);
    if (state.kind === 'ready') return [];
    return [`${target}: ${state.kind === 'pending' ? 'no configuration has come' : state.reason}`];
  });
}

const missing = (what: string): MeshError =>
  new MeshError('MESH_NOT_READY', what, {
    hint: 'is the control plane running, and does its configuration name the host?',
  });
