import { expect, it } from 'vitest';
import { registrationEvent } from '../registry/registration.ts';
import { createChangeLines } from './changes.ts';

it.each([
  ['10.0.0.1', 'reviews: 10.0.0.1:3001 of reviews joined'],
  ['fd00::1', 'reviews: [fd00::1]:3001 of reviews joined'],
])('tells where a process is reached, an IPv6 address in brackets (%s)', (address, line) => {
  const event = registrationEvent({ uid: 'u', service: 'reviews', namespace: 'default', port: 3001, address });
  expect(createChangeLines().take([event])).toEqual([line]);
});

it('a name that a process gave itself makes no line of its own', () => {
  const event = registrationEvent({
    uid: 'u',
    service: 'reviews',
    namespace: 'default',
    port: 3001,
    address: '10.0.0.1',
    workload: 'a\nb joined\u001b[2J',
  });
  expect(createChangeLines().take([event])).toEqual(['a\n  b joined\\x1b[2J: 10.0.0.1:3001 of reviews joined']);
});
