import { readSharedState, type SharedState } from '../../fleet/shared-state.ts';
import { heldNowLines, quarantinedNowLines } from '../../publisher/screens/brake-lines.ts';
import { jsonLine } from '../../runtime/safe-text.ts';
import { inForce } from '../../schemas/hold.ts';
import type { HoldOutput, QuarantineOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say } from '../shell/terminal.ts';
import { timeToShow } from './fleet-time.ts';

/** `gitfleet hold` and `gitfleet quarantine` without arguments: show what is in force now and write nothing. */
export const showHold = (call: Call): Promise<number> =>
  show(call, (app, { hold }, now) => ({
    json: [{ hold: inForce(hold.value, now), changed: false } satisfies HoldOutput],
    lines: heldNowLines(app, hold, now),
  }));

export const showQuarantine = (call: Call): Promise<number> =>
  show(call, (app, { quarantine }) => ({
    json: quarantine.value.map((quarantined) => ({ quarantined, changed: false }) satisfies QuarantineOutput),
    lines: quarantinedNowLines(app, quarantine),
  }));

interface Shown {
  /** One line each. */
  readonly json: readonly unknown[];
  readonly lines: readonly string[];
}

async function show(
  { options }: Call,
  shown: (app: string, state: SharedState, now: number) => Shown,
): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const [state, time] = await Promise.all([readSharedState(session, paths), timeToShow(session, paths)]);
    const { json, lines } = shown(settings.app, state, time.now());
    say(...(options['json'] ? json.map(jsonLine) : lines));
    return EXIT.converged;
  });
}
