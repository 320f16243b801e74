import { connect } from 'node:net';
import type { Clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { ServiceList } from '../view.ts';
import { isAddress } from './formats.ts';
import { parseSlots, planSlots } from './haproxy-slots.ts';

const ANSWER_MS = 5_000;
const MAX_ANSWER_BYTES = 4_000_000;

/**
 * Brings the servers of one backend to a list, through HAProxy's runtime socket and without a reload. Guarantee: once
 * it resolves, HAProxy writes no new request to a server that the list does not name. Requests in flight are completed.
 * @returns the instances that found no slot, or have a name instead of an address.
 * @throws FleetError PROXY if HAProxy does not answer, or refuses.
 */
export async function applyBySocket(socket: string, backend: string, list: ServiceList, clock: Clock) {
  const slots = parseSlots(await ask(socket, `show servers state ${backend}`, clock));
  if (slots.length === 0) throw proxyFailure(`${socket} knows no server of the backend ${backend}`);
  const { commands, left } = planSlots(backend, slots, list.instances.filter(isAddress));
  for (const command of commands) {
    const answer = (await ask(socket, command, clock)).trim();
    if (answer !== '' && !/^(?:no need to change|IP changed|port changed)/.test(answer)) {
      throw proxyFailure(`${command}: ${clean(answer, 300)}`);
    }
  }
  return [...left, ...list.instances.filter((each) => !isAddress(each))];
}

const proxyFailure = (reason: string, cause?: unknown): FleetError => FleetError.of('PROXY', reason, undefined, cause);

/** One command on its own connection: HAProxy answers and closes it. */
function ask(socket: string, command: string, clock: Clock): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const line = connect(socket, () => line.write(`${command}\n`));
    const fail = (reason: string, cause?: unknown) => {
      cancel();
      line.destroy();
      reject(proxyFailure(`${socket}: ${reason}`, cause));
    };
    const cancel = clock.after(ANSWER_MS, () => fail(`no answer within ${ANSWER_MS} ms`));
    line.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
      if (answer.length > MAX_ANSWER_BYTES) fail('the answer is too long');
    });
    line.on('error', (error) => fail(error.message, error));
    line.on('end', () => {
      cancel();
      line.destroy();
      resolve(answer);
    });
  });
}
