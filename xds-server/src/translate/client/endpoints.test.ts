import { describe, expect, it } from 'vitest';
import type { MeshEndpoint } from '../../registry/read-model.ts';
import { NO_LOCALITY } from '../view.ts';
import { grpcEndpoints } from './endpoints.ts';

const endpoint = (address: string, port: number, weight = 1): MeshEndpoint => ({
  address,
  port,
  weight,
  health: 'healthy',
  labels: new Map(),
  locality: NO_LOCALITY,
  namespace: 'default',
  workload: 'db',
});

describe('endpoints, for gRPC clients', () => {
  it('are IP addresses, each once: who stands there twice takes the share of both', () => {
    const taken = grpcEndpoints([
      endpoint('10.0.0.1', 80, 3),
      endpoint('10.0.0.1', 81),
      endpoint('10.0.0.1', 80, 2),
      endpoint('fd00::1', 80),
      endpoint('unix:/run/db.sock', 0),
      endpoint('db.example.com', 80),
    ]);
    expect(taken.map(({ address, port, weight }) => `${address} ${port} ${weight}`)).toEqual([
      '10.0.0.1 80 5',
      '10.0.0.1 81 1',
      'fd00::1 80 1',
    ]);
  });
});
