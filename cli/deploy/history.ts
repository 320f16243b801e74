import { readHistory } from '../../fleet/history.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { historyLines } from '../../publisher/screens/history-screen.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow, usage } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';

export async function run({ options }: Call): Promise<number> {
  const most = Number(options['number'] ?? 20);
  if (!Number.isSafeInteger(most) || most < 1)
    throw usage('--number must be a whole number from 1', 'gitfleet history -n 20');
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, history, time] = await Promise.all([
      readSharedState(session, paths),
      readHistory(session, paths, most + 1),
      timeToShow(session, paths),
    ]);
    const current = state.current?.number ?? null;
    if (options['json']) for (const record of history.slice(0, most)) sayJson(record);
    else {
      const quarantined = state.quarantine.value;
      say(...historyLines(history, current, screenNow(time.now()), quarantined, most));
    }
    return EXIT.converged;
  });
}
