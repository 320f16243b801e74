import { readAudit } from '../../fleet/audit.ts';
import { readHistory } from '../../fleet/history.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { historyLines, inTimeOrder } from '../../publisher/screens/history-screen.ts';
import type { HistoryOutput } from '../../schemas/json-output.ts';
import type { AuditRecord } from '../../schemas/records/audit.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, screenNow, usage } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';
import { verify } from './verify-history.ts';

/** `gitfleet history`: deployments and the acts between them, newest first. With `--verify`: whether they are whole. */
export async function run(call: Call): Promise<number> {
  const { options } = call;
  if (options['verify'] === true) return await verify(call);
  if (options['head'] !== undefined) throw usage('--head is for --verify', 'gitfleet history --verify --head HEAD');
  const most = Number(options['number'] ?? 20);
  if (!Number.isSafeInteger(most) || most < 1)
    throw usage('--number must be a whole number from 1', 'gitfleet history -n 20');
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, history, acts, time] = await Promise.all([
      readSharedState(session, paths),
      readHistory(session, paths, most + 1),
      options['audit'] === false ? [] : readAudit(session, paths),
      timeToShow(session, paths),
    ]);
    const current = state.current?.number ?? null;
    if (options['json']) {
      for (const item of inTimeOrder(history, most, acts))
        sayJson(('act' in item ? auditOf(item.act) : item.record) satisfies HistoryOutput);
    } else {
      const quarantined = state.quarantine.value;
      say(...historyLines(history, current, screenNow(time.now()), quarantined, most, acts));
    }
    return EXIT.converged;
  });
}

function auditOf({ number, kind, by, reason, at, what }: AuditRecord): HistoryOutput {
  return { audit: { number, kind, by, reason, at, what } };
}
