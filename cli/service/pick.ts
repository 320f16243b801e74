import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { matches, parseSelector } from '../../schemas/selector.ts';
import { addressText } from '../../services/contract.ts';
import { NOTHING_PICKED, pickFrom, type Strategy } from '../../services/pick.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { outputOf } from './list.ts';
import { serviceOf } from './operands.ts';
import { readOnce } from './read-once.ts';

/** The strategies for a single call: it knows no earlier picks, so round-robin and least-conn are not possible. */
const OF_ONE_CALL = ['random', 'sticky'];

/** `gitfleet service pick NAME`: prints the address of one instance. */
export async function run({ options, words }: Call): Promise<number> {
  const service = serviceOf(words);
  const strategy = String(options['strategy'] ?? (options['key'] === undefined ? 'random' : 'sticky'));
  if (!OF_ONE_CALL.includes(strategy)) throw usage('--strategy must be random or sticky', 'sticky takes a --key');
  const settings = await readSettings(options);
  const { list } = await readOnce(settings, service, (options['cache'] as string | undefined) ?? null);
  const rule = {
    strategy: strategy as Strategy,
    ...(options['key'] === undefined ? {} : { key: String(options['key']) }),
    ...(options['commit'] === undefined ? {} : { commit: String(options['commit']) }),
    ...(options['selector'] === undefined ? {} : { fits: fitsOf(String(options['selector'])) }),
  };
  const picked = pickFrom(service, list, rule, NOTHING_PICKED, clock.now(), random);
  if (options['json']) sayJson(outputOf(picked));
  else say(addressText(picked));
  return EXIT.converged;
}

function fitsOf(text: string): (labels: Readonly<Record<string, string>>) => boolean {
  const parsed = parseSelector(text);
  if (!parsed.ok) throw FleetError.kept(parsed.failure);
  return (labels) => matches(parsed.selector, labels);
}
