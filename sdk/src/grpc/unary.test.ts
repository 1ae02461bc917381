import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startTestMesh, type TestMesh } from '../../../test/harness/test-mesh.ts';
import { Echo, type EchoClient, type GrpcPeer, servePeer, told } from './peer.fixture.ts';

let test: TestMesh;
let peer: GrpcPeer;
let client: EchoClient;

beforeEach(async () => {
  test = await startTestMesh((_, response) => response.end());
  peer = await servePeer();
  test.host('echo:80', peer.port);
  client = new Echo('echo:80', grpc.credentials.createInsecure(), test.mesh.grpc());
});
afterEach(async () => {
  client.close();
  peer.close();
  await test[Symbol.asyncDispose]();
});

describe('a unary call', () => {
  it('is answered through the mesh, over HTTP/2 though the cluster speaks HTTP/1.1', async () => {
    const { value, status } = await told((done) => client.unary(Buffer.from('hello'), done));
    expect(status).toMatchObject({ code: 0 });
    expect(String(value)).toBe('hello');
  });
});
