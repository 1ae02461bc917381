import { describe, expect, it } from 'vitest';
import type { BodyFormat, RespondAction } from '../model/action.ts';
import { compileRouteTable } from './compile.ts';
import { decide } from './decide.ts';
import { localBody } from './local-body.ts';
import { configuration, request, route, virtualHost } from './route.fixture.ts';

const encoder = new TextEncoder();

function said(
  format: Partial<BodyFormat> & Pick<BodyFormat, 'template'>,
  body = 'the "body" é',
): [string, string | undefined] {
  const action: RespondAction = {
    kind: 'respond',
    status: 403,
    body: encoder.encode(body),
    format: { omitEmpty: false, ...format },
  };
  const table = compileRouteTable(configuration([virtualHost('v', ['*'], [route('r', {}, action)])]));
  const asked = request({ path: '/p?q=1', headers: ['x-id', '7'], metadata: new Map([['ns', { n: 2.5 }]]) });
  const decision = decide(table, asked, () => 0);
  if (decision.kind === 'none') throw new Error('no route');
  const found = localBody(action, decision, asked);
  return [new TextDecoder().decode(found.body), found.contentType];
}

const text = (format: string): BodyFormat['template'] => ({ kind: 'text', text: format });

describe('the body of a direct response (Envoy DirectResponseAction.body_format)', () => {
  it.each([
    ['<%LOCAL_REPLY_BODY%>', '<the "body" é>'],
    ['é %REQ(x-id)% %REQ(x-none)% %ROUTE_NAME% %RESPONSE_CODE%', 'é 7 - r 0'],
    ['%RESP(x)%|%PATH(NQ)%|100%%', '-|/p|100%'],
    ['', ''],
  ])('text %j is %j', (format, body) => {
    expect(said({ template: text(format) })).toEqual([body, 'text/plain']);
  });

  it('leaves out what is absent where it is told to', () => {
    expect(said({ template: text('<%REQ(x-none)%>'), omitEmpty: true })[0]).toBe('<>');
    const value = { a: '%REQ(x-none)%', b: 'x%REQ(x-none)%', c: { d: '%REQ(x-none)%' } };
    expect(said({ template: { kind: 'json', value }, omitEmpty: true })[0]).toBe('{"b":"x"}\n');
  });

  it('has JSON with members sorted, types kept, and null for what is absent', () => {
    const value = {
      z: '%RESPONSE_CODE%',
      a: '%LOCAL_REPLY_BODY%',
      none: '%REQ(x-none)%',
      mixed: 'é%REQ(x-id)%%REQ(x-none)%',
      list: [1.5, true, null, '%UPSTREAM_REQUEST_ATTEMPT_COUNT%'],
    };
    expect(said({ template: { kind: 'json', value } })).toEqual([
      '{"a":"the \\"body\\" é","list":[1.5,true,null,0],"mixed":"é7-","none":null,"z":0}\n',
      'application/json',
    ]);
  });

  it('has the content type that is asked for', () => {
    expect(said({ template: text('a'), contentType: 'text/html' })).toEqual(['a', 'text/html']);
  });

  it('is the body as it is without a format', () => {
    const action: RespondAction = { kind: 'respond', status: 200, body: encoder.encode('b') };
    const table = compileRouteTable(configuration([virtualHost('v', ['*'], [route('r', {}, action)])]));
    const decision = decide(table, request(), () => 0);
    expect(decision.kind === 'route' && localBody(action, decision, request())).toEqual({ body: action.body });
  });
});
