import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { addressText } from '../../services/contract.ts';
import { followService } from '../../services/follow-service.ts';
import type { InstancesChangeOutput } from '../../services/output.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { outputOf } from './list.ts';
import { serviceOf } from './operands.ts';

/** `gitfleet service watch NAME`: a line for each change of the list, until Ctrl-C. Acknowledges nothing. */
export async function run({ options, words }: Call): Promise<number> {
  const service = serviceOf(words);
  const settings = await readSettings(options);
  const stop = new AbortController();
  const end = () => stop.abort();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, end);
  await withSession(settings, async (session) => {
    const parts = { session, service, before: null, clock, random, log: createLog({ level: 'silent' }) };
    for await (const list of followService(parts, stop.signal)) {
      const { state, instances } = list;
      if (options['json'])
        sayJson({ service, state, instances: instances.map(outputOf) } satisfies InstancesChangeOutput);
      else say(`${new Date(clock.now()).toISOString().slice(11, 19)} ${state} ${instances.map(addressText).join(' ')}`);
    }
  });
  return EXIT.detached;
}
