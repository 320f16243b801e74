import { readHistory } from '../fleet/history.ts';
import { isRecorded, readSharedState } from '../fleet/shared-state.ts';
import { historyLines } from '../publisher/history-screen.ts';
import { systemClock } from '../runtime/clock.ts';
import { parseQuarantine } from '../schemas/hold.ts';
import { znodes } from '../schemas/znodes.ts';
import { EXIT } from './exit-codes.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say, screenNow, usage } from './terminal.ts';
import { withSession } from './with-session.ts';

export async function run({ options }: Call): Promise<number> {
  const most = Number(options['number'] ?? 20);
  if (!Number.isSafeInteger(most) || most < 1)
    throw usage('--number wants a whole number from 1', 'gitfleet history -n 20');
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, history] = await Promise.all([
      readSharedState(session, paths),
      readHistory(session, paths, most + 1),
    ]);
    const current = isRecorded(state) ? (state.lastRecord?.number ?? null) : null;
    if (options['json']) for (const record of history.slice(0, most)) say(JSON.stringify(record));
    else {
      const quarantined = parseQuarantine(state.quarantine.data).value;
      say(...historyLines(history, current, screenNow(systemClock.now()), quarantined, most));
    }
    return EXIT.converged;
  });
}
