import { readSharedState, type SharedState } from '../../fleet/shared-state.ts';
import { heldNowLines, quarantinedNowLines } from '../../publisher/screens/brake-lines.ts';
import { systemClock } from '../../runtime/clock.ts';
import { jsonLine } from '../../runtime/safe-text.ts';
import { inForce } from '../../schemas/hold.ts';
import type { HoldOutput, QuarantineOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say } from '../shell/terminal.ts';

/** `gitfleet hold` and `gitfleet quarantine` without arguments: what is in force now. They write nothing. */
export const showHold = (call: Call): Promise<number> =>
  show(call, (app, { hold }) => ({
    json: [{ hold: inForce(hold.value, systemClock.now()), changed: false } satisfies HoldOutput],
    lines: heldNowLines(app, hold, systemClock.now()),
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

async function show({ options }: Call, shown: (app: string, state: SharedState) => Shown): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const { json, lines } = shown(settings.app, await readSharedState(session, znodes(settings.app)));
    say(...(options['json'] ? json.map(jsonLine) : lines));
    return EXIT.converged;
  });
}
