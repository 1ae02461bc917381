import { describe, expect, it } from 'vitest';
import type { ConnectionChain } from '../model/l4.ts';
import { compileRouteTable } from './compile.ts';
import { decide } from './decide.ts';
import { configuration, request, route, virtualHost } from './route.fixture.ts';
import { tlsRouteOf } from './tls-route.ts';

const chain = (cluster: string, more: Partial<ConnectionChain> = {}): ConnectionChain => ({
  serverNames: [],
  destinations: [],
  clusters: [{ cluster, weight: 1 }],
  idleTimeoutMs: 0,
  connectAttempts: 1,
  hashSourceIp: false,
  ...more,
});

const decided = (configPath?: string) => {
  const only = { ...route('own'), ...(configPath !== undefined && { configPath }) };
  const decision = decide(compileRouteTable(configuration([virtualHost('v', ['*'], [only])])), request({}), () => 0);
  if (decision.kind !== 'route') throw new Error(decision.reason);
  return decision;
};

const asked = { port: 443, serverName: 'api.example' };
const of = (chains: readonly ConnectionChain[], httpRule?: string) =>
  tlsRouteOf({ chains }, decided(httpRule), asked, () => 0);

describe('tls routes of https calls', () => {
  it('a tls route that fits the server name says where the connection goes', () => {
    const chains = [chain('gateway', { serverNames: ['api.example'], configPath: 'vs' }), chain('own')];
    expect(of(chains)).toEqual({ cluster: 'gateway', configPath: 'vs' });
  });

  it('an http route of the host decides before it', () => {
    expect(of([chain('gateway', { configPath: 'vs' })], 'other')).toBeUndefined();
  });

  it('without a rule, or one that fits, the routes decide', () => {
    expect(of([chain('own')])).toBeUndefined();
    expect(of([chain('gateway', { serverNames: ['b.example'], configPath: 'vs' }), chain('own')])).toBeUndefined();
    expect(tlsRouteOf(undefined, decided(), asked, () => 0)).toBeUndefined();
  });
});
