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
