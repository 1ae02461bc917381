import { parentPort, workerData } from 'node:worker_threads';
import { type FaultServerOptions, startFaultServers } from '../../harness/fault-server.ts';

/** Fault servers on a thread of their own: what they keep is not the mesh's, and they answer while the mesh computes. */
const REMEMBERED_CALLS = 2_000;
const group = await startFaultServers(workerData as readonly FaultServerOptions[], REMEMBERED_CALLS);

parentPort?.on('message', async (question: 'counts' | 'close') => {
  if (question === 'close') await group.close();
  parentPort?.postMessage(group.servers.map(({ counts }) => ({ ...counts })));
});
parentPort?.postMessage(group.servers.map(({ port }) => port));
