import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const SDK = path.dirname(fileURLToPath(import.meta.url));

/** What a program loads: files of the SDK, packages, and what is behind the platform's fetch. */
function loadedBy(program: string) {
  const code = `
    import { registerHooks } from 'node:module';
    const urls = [];
    registerHooks({ load(url, context, next) { urls.push(url); return next(url, context); } });
    const before = new Set(process.moduleLoadList);
    ${program}
    const internal = process.moduleLoadList.filter((name) => !before.has(name));
    console.log(JSON.stringify({ urls, internal, resources: process.getActiveResourcesInfo() }));`;
  const args = ['--conditions=source', '--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: SDK, env: {}, encoding: 'utf8' });
  if (stdout === '') throw new Error(stderr);
  const { urls, internal, resources } = JSON.parse(stdout) as Record<'urls' | 'internal' | 'resources', string[]>;
  const files = urls.filter((url) => url.startsWith('file:')).map((url) => fileURLToPath(url));
  const inside = (file: string) => path.relative(SDK, file).replaceAll(path.sep, '/');
  return {
    own: files
      .map(inside)
      .filter((file) => !file.includes('node_modules'))
      .sort(),
    packages: files.filter((file) => file.includes('node_modules')),
    internal,
    resources,
  };
}

const file = (name: string): string => JSON.stringify(path.join(SDK, name));

describe("import '@inmesh/sdk'", () => {
  const loaded = loadedBy(`await import(${file('index.ts')});`);

  it('loads these files and no package: undici, protobuf, re2js, grpc-js wait for their first use', () => {
    expect(loaded.packages).toEqual([]);
    expect(loaded.own).toMatchInlineSnapshot(`
      [
        "bootstrap/bootstrap.ts",
        "bootstrap/grpc-bootstrap.ts",
        "bootstrap/identity-settings.ts",
        "bootstrap/server-address.ts",
        "bootstrap/token-names.ts",
        "bootstrap/values.ts",
        "bootstrap/version.ts",
        "breaker/breakers.ts",
        "breaker/failed-answer.ts",
        "breaker/live-breaker.ts",
        "call/local-reply.ts",
        "clock.ts",
        "connect/mesh-socket.ts",
        "connection/body-chunks.ts",
        "defaults.ts",
        "defaults/entry.ts",
        "defaults/guard.ts",
        "defaults/identity.ts",
        "defaults/policies.ts",
        "errors.ts",
        "explain/format.ts",
        "grpc/algorithms.ts",
        "grpc/channel-list.ts",
        "grpc/channel-options.ts",
        "grpc/channel.ts",
        "grpc/connectivity.ts",
        "grpc/deadline.ts",
        "grpc/deferred-call.ts",
        "grpc/grpc-js.ts",
        "grpc/metadata.ts",
        "grpc/target.ts",
        "http/dialled.ts",
        "http/exchange.ts",
        "http/fetch/content-decoding.ts",
        "http/fetch/default-headers.ts",
        "http/fetch/fetch-call.ts",
        "http/fetch/fetch-input.ts",
        "http/fetch/lean-response.ts",
        "http/fetch/mesh-fetch.ts",
        "http/fetch/platform-fetch.ts",
        "http/fetch/redirect.ts",
        "http/fetch/response-body.ts",
        "http/form-data.ts",
        "http/install.ts",
        "http/outgoing.ts",
        "http/policy-fault.ts",
        "http/question.ts",
        "http/request-body.ts",
        "http/request-headers.ts",
        "http/undici/dispatch-call.ts",
        "http/undici/dispatch-input.ts",
        "http/undici/dispatch-timeouts.ts",
        "http/undici/dispatch.ts",
        "http/undici/dispatcher.ts",
        "http/undici/handlers.ts",
        "http/undici/load.ts",
        "http/undici/passthrough.ts",
        "http/undici/request.ts",
        "http/waiting-exchange.ts",
        "index.ts",
        "match/grpc-timeout.ts",
        "mesh.ts",
        "mesh/events.ts",
        "mesh/lazy-core.ts",
        "mesh/outbound.ts",
        "mesh/ready.ts",
        "mesh/server-side.ts",
        "model/resource-name.ts",
        "propagation/deadline.ts",
        "propagation/propagate.ts",
        "propagation/store.ts",
        "shared-timers.ts",
        "telemetry/call-counts.ts",
        "telemetry/channels.ts",
        "telemetry/event-counts.ts",
        "telemetry/log.ts",
      ]
    `);
  });

  it("loads neither the platform's fetch nor its HTTP/2 or its TLS", () => {
    expect(loaded.internal.filter((name) => /undici|http2|zlib|tls/.test(name))).toEqual([]);
  });

  it('opens nothing and starts no timer', () => {
    expect(loaded.resources.filter((kind) => /Timeout|Immediate|TCP|TLS|FSEvent|Worker/.test(kind))).toEqual([]);
  });
});

describe('the optional peers', () => {
  it('Connect is loaded by its own entry alone, grpc-js by none', () => {
    const peers = (entry: string) =>
      new Set(
        loadedBy(`await import(${file(entry)});`).packages.flatMap(
          (name) => /node_modules[/\\](@connectrpc|@grpc)[/\\]/.exec(name)?.slice(1) ?? [],
        ),
      );
    for (const entry of ['grpc-entry.ts', 'server/index.ts', 'register.ts', 'mesh/core.ts']) {
      expect([entry, ...peers(entry)]).toEqual([entry]);
    }
    expect([...peers('connectrpc-entry.ts')]).toEqual(['@connectrpc']);
  });
});

describe('a mesh of a process without a credential', () => {
  it('loads nothing that reads certificates', () => {
    const { own, packages } = loadedBy(
      `await import(${file('mesh/core.ts')}); await import(${file('mesh/identity.ts')});`,
    );
    expect(packages.filter((name) => /peculiar|asn1/.test(name))).toEqual([]);
    expect(own.filter((name) => /^identity\//.test(name))).toEqual(['identity/no-identity.ts', 'identity/secrets.ts']);
  });
});

describe('propagate', () => {
  it('is light enough for any server: nothing of the mesh is loaded with it', () => {
    const { own, packages } = loadedBy(`await import(${file('propagation/propagate.ts')});`);
    expect(packages).toEqual([]);
    expect(own).toEqual([
      'clock.ts',
      'defaults.ts',
      'defaults/entry.ts',
      'defaults/guard.ts',
      'defaults/identity.ts',
      'defaults/policies.ts',
      'match/grpc-timeout.ts',
      'propagation/deadline.ts',
      'propagation/propagate.ts',
      'propagation/store.ts',
      'shared-timers.ts',
    ]);
  });
});
