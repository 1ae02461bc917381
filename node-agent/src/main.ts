/**
 * The node agent is not there yet: this package holds its name and says so, rather than pretend.
 * What it will do is described in docs/architecture.md.
 */
export function main(): never {
  throw new Error('@inmesh/node-agent is not there yet: use @inmesh/sdk in the application, or a sidecar, for now');
}

if (import.meta.main) main();
