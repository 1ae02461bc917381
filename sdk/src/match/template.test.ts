import { describe, expect, it } from 'vitest';
import { parseRegex } from './regex.ts';
import { parseTemplate, parseTemplateRewrite, type Template } from './template.ts';

function templateOf(template: string): Template {
  const parsed = parseTemplate(template);
  if (typeof parsed === 'string') throw new Error(parsed);
  return parsed;
}

function matches(template: string, path: string): boolean {
  const regex = parseRegex(templateOf(template).pattern);
  return typeof regex !== 'string' && regex.test(path);
}

describe('parseTemplate (Envoy UriTemplateMatchConfig)', () => {
  it.each([
    ['/', ['/'], ['/a', '']],
    ['/a/*', ['/a/b'], ['/a/', '/a/b/c', '/a']],
    ['/a/**', ['/a/', '/a/b/c', '/a/b'], ['/a']],
    ['/a/{x}', ['/a/b', '/a/b=c'], ['/a/', '/a/b/c', '/a/b*']],
    ['/a/{x=*}/c', ['/a/b/c'], ['/a/b/d']],
    ['/a/{x=**}', ['/a/', '/a/b/c'], ['/b']],
    ['/a/{x=b/*}/d', ['/a/b/c/d'], ['/a/x/c/d']],
    ['/a/{x=v1/**}', ['/a/v1/b/c'], ['/a/v2/b']],
    ['/a/b/', ['/a/b/'], ['/a/b']],
    ['/**.mpd', ['/a/b.mpd', '/.mpd'], ['/a/bxmpd', '/a']],
    ['/*.m3u8', ['/a.m3u8'], ['/a/b.m3u8']],
    ['/{x}.html', ['/a.html'], ['/a.htm']],
    ['/a$(b)+c', ['/a$(b)+c'], ['/abc']],
    ['/a/{x}/{y}/{z}/{v}/{w}', ['/a/1/2/3/4/5'], ['/a/1']],
  ])('%s', (template, matching, others) => {
    for (const path of matching) expect([path, matches(template, path)]).toEqual([path, true]);
    for (const path of others) expect([path, matches(template, path)]).toEqual([path, false]);
  });

  it.each([
    'a',
    '/a b',
    '/**/*',
    '/**/{x}',
    '/{x=**}/**',
    '/{x',
    '/{}',
    '/{1x}',
    '/{x}/{x}',
    '/{a}/{b}/{c}/{d}/{e}/{f}',
    '/{abcdefghijklmnopq}',
    '/{x=}',
    '/{x=a/}',
    '/{x=*a}',
    '/{x=[}',
    '/a*b',
    '/*a/b',
    '/a//b',
    '/[',
  ])('refuses %s', (template) => {
    expect(typeof parseTemplate(template)).toBe('string');
  });
});

describe('parseTemplateRewrite (Envoy UriTemplateRewriteConfig)', () => {
  const template = templateOf('/{lang}/{country}/**');

  it.each([
    ['/{country}/{lang}', '/\\2/\\1'],
    ['/x{lang}y', '/x\\1y'],
    ['/plain/', '/plain/'],
  ])('%s', (rewrite, substitution) => {
    expect(parseTemplateRewrite(rewrite, template)).toEqual({ substitution });
  });

  it.each(['{lang}', '/a//b', '/{city}', '/a*', '/{lang'])('refuses %s', (rewrite) => {
    expect(typeof parseTemplateRewrite(rewrite, template)).toBe('string');
  });
});
