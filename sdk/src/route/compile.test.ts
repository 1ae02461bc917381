import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Route, RouteConfiguration } from '../model/route.ts';
import { compileRouteTable, compileRouteTableSteps } from './compile.ts';
import { decide } from './decide.ts';
import { configuration, forward, header, path, request, route, text, virtualHost } from './route.fixture.ts';
import type { RouteTable } from './table.ts';

function inSlices(config: RouteConfiguration): { table: RouteTable; steps: number } {
  const slices = compileRouteTableSteps(config);
  for (let steps = 0; ; steps++) {
    const slice = slices.next();
    if (slice.done) return { table: slice.value, steps };
  }
}

const segment = fc.constantFrom('a', 'ab', 'B', '');
const anyPath = fc.array(segment, { minLength: 1, maxLength: 3 }).map((parts) => `/${parts.join('/')}`);
const anyRoute: fc.Arbitrary<Route> = fc
  .record({
    path: fc.oneof(
      fc
        .tuple(
          fc.constantFrom('exact' as const, 'prefix' as const, 'path-separated-prefix' as const),
          anyPath,
          fc.boolean(),
        )
        .map(([kind, value, sensitive]) => path(kind, value, sensitive)),
      fc.constantFrom('/a.*', '.*B').map((value) => ({ kind: 'regex' as const, value })),
    ),
    asks: fc.boolean(),
    name: fc.string({ maxLength: 3 }),
  })
  .map(({ path: rule, asks, name }) =>
    route(name, { path: rule, headers: asks ? [header('x', text('exact', '1'))] : [] }, forward({ a: 1 })),
  );

describe('compileRouteTableSteps', () => {
  it('makes the table that is made at once', () => {
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 60 }), fc.array(anyPath, { maxLength: 5 }), (routes, paths) => {
        const config = configuration([virtualHost('v', ['*', 'a.test', '*.b'], routes)]);
        const { table } = inSlices(config);
        const whole = compileRouteTable(config);
        for (const asked of paths) {
          for (const headers of [[], ['x', '1']]) {
            const one = request({ path: asked, headers });
            expect(decide(table, one, () => 0)).toEqual(decide(whole, one, () => 0));
          }
        }
      }),
    );
  });

  it('gives way many times for many routes, many virtual hosts and many domains', () => {
    const routes = Array.from({ length: 2_000 }, (_, i) => route(`r${i}`, { path: path('prefix', `/s/${i}/`) }));
    expect(inSlices(configuration([virtualHost('v', ['*'], routes)])).steps).toBeGreaterThan(200);
    const hosts = routes.map((one, i) => virtualHost(`v${i}`, [`h${i}`, `*.h${i}`], [one]));
    expect(inSlices(configuration(hosts)).steps).toBeGreaterThan(2_000);
    const domains = Array.from({ length: 2_000 }, (_, i) => `h${i}`);
    expect(inSlices(configuration([virtualHost('v', domains, [])])).steps).toBeGreaterThan(10);
  });

  it('decides alike with and without a trace', () => {
    fc.assert(
      fc.property(fc.array(anyRoute, { maxLength: 30 }), anyPath, (routes, asked) => {
        const table = compileRouteTable(configuration([virtualHost('v', ['*'], routes)]));
        const one = request({ path: asked, headers: ['x', '1'] });
        const trace = { virtualHost: undefined, considered: [] };
        expect(decide(table, one, () => 0, trace)).toBe(decide(table, one, () => 0));
      }),
    );
  });
});
