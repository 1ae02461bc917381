import { type FaultServerOptions, startFaultServers } from '../../harness/fault-server.ts';

/**
 * Fault servers in a process of their own: what they keep is not the mesh's, and they answer while the mesh computes. No thread:
 * Node (24.21) spins for ever while it ends one whose HTTP/2 sockets were reset.
 */
const REMEMBERED_CALLS = 2_000;

process.once('message', async (options: readonly FaultServerOptions[]) => {
  const { servers } = await startFaultServers(options, REMEMBERED_CALLS);
  process.on('message', () => process.send?.(servers.map(({ counts }) => counts)));
  process.send?.(servers.map(({ port }) => port));
});
process.once('disconnect', () => process.exit());
