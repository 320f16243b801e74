import { readFile } from 'node:fs/promises';
import { readFleet } from '../../fleet/fleet-view.ts';
import { readPolicy, setPolicy } from '../../fleet/policy.ts';
import { policyLines, wavesNow } from '../../publisher/screens/policy-lines.ts';
import { FleetError } from '../../runtime/errors.ts';
import type { PolicyOutput } from '../../schemas/json-output.ts';
import { parsePolicyFile } from '../../schemas/settings/policy-file.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings, unreadableReason } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';

/** `gitfleet policy show | set FILE | unset`. */
export const show = (call: Call): Promise<number> => onPolicy(call, async () => false);

export async function set(call: Call): Promise<number> {
  const file = String(call.words[0]);
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw usage(`${file} cannot be read: ${unreadableReason(error)}`, 'give a file such as docs/rollouts.md shows');
  });
  const policy = parsePolicyFile(text, file);
  return await onPolicy(call, (session, paths) => setPolicy(session, paths, policy));
}

export const unset = (call: Call): Promise<number> =>
  onPolicy(call, (session, paths) => setPolicy(session, paths, null));

/** Does it, then shows what is in force now, with the waves that the agents of this moment would go in. */
async function onPolicy(
  { options }: Call,
  change: (session: Session, paths: Znodes) => Promise<boolean>,
): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const changed = await written('the policy may be changed', () => change(session, paths));
    const [{ value, unreadable }, fleet] = await Promise.all([readPolicy(session, paths), readFleet(session, paths)]);
    if (unreadable) throw broken(unreadable);
    const waves = value === null ? [] : wavesNow(value, fleet);
    if (options['json']) sayJson({ policy: value, waves, changed } satisfies PolicyOutput);
    else say(...policyLines(settings.app, value, fleet));
    return EXIT.converged;
  });
}

const broken = (reason: string): FleetError =>
  FleetError.of('POLICY', reason, 'no rollout continues with it: gitfleet policy set FILE, or gitfleet policy unset');
