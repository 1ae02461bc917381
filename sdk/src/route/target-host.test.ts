import { describe, expect, it } from 'vitest';
import { configuration, route, virtualHost } from './route.fixture.ts';
import { routesOfTarget } from './target-host.ts';

const named = (name: string, ...domains: string[]) => virtualHost(name, domains, [route(name)]);
const chosen = (target: string, ...hosts: ReturnType<typeof named>[]) =>
  routesOfTarget(configuration(hosts), target).virtualHosts.map(({ name, domains }) => [name, ...domains]);

describe('routesOfTarget', () => {
  it('keeps the virtual host of what is dialled, for every authority', () => {
    expect(chosen('b:9080', named('a', 'a', 'a:9080'), named('b', 'b', 'b:9080'))).toEqual([['b', '*']]);
  });

  it('prefers the name with the port where the URL writes it, the bare one where it does not', () => {
    const both = [named('with', 'a:9080', 'a:80'), named('bare', 'a')] as const;
    expect(chosen('a:9080', ...both)).toEqual([['with', '*']]);
    expect(chosen('a:80', ...both)).toEqual([['bare', '*']]);
  });

  it('takes the other spelling where the first is not there', () => {
    expect(chosen('a:9080', named('bare', 'a'))).toEqual([['bare', '*']]);
    expect(chosen('a:443', named('with', 'a:443'))).toEqual([['with', '*']]);
  });

  it('has no virtual host where none fits', () => {
    expect(chosen('c:9080', named('a', 'a'), named('b', 'b'))).toEqual([]);
  });
});
