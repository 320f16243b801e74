import { unhold } from '../fleet/brakes.ts';
import { holdWords } from '../fleet/refusals.ts';
import { systemClock } from '../runtime/clock.ts';
import type { HoldOutput } from '../schemas/output.ts';
import { znodes } from '../schemas/znodes.ts';
import { EXIT } from './exit-codes.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { asOperator } from './rights.ts';
import { say } from './terminal.ts';
import { withSession } from './with-session.ts';

/** `gitfleet unhold`: publishing is free again, whoever held it. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const parts = { session, znodes: znodes(settings.app), now: () => systemClock.now() };
    const ended = await asOperator('to end a hold', unhold(parts));
    const held = ended === 'unreadable' ? null : ended;
    if (options['json']) say(JSON.stringify({ hold: held, changed: ended !== null } satisfies HoldOutput));
    else if (ended === null) say(`${settings.app}: publishing was not held`);
    else if (held === null) say(`${settings.app}: what stood in the hold znode and nobody could read is removed`);
    else say(`${settings.app}: publishing is free again; ended: ${holdWords(held)}`);
    return EXIT.converged;
  });
}
