import { readFile } from 'node:fs/promises';
import type { AuditParts } from '../../fleet/audit.ts';
import { readFleet } from '../../fleet/fleet-view.ts';
import { readPolicy, refuseCutover, setPolicy } from '../../fleet/policy.ts';
import { policyLines, wavesNow } from '../../publisher/screens/policy-lines.ts';
import { FleetError } from '../../runtime/errors.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { PolicyOutput } from '../../schemas/json-output.ts';
import { isTogether, type Policy } from '../../schemas/policy.ts';
import { parsePolicyFile } from '../../schemas/settings/policy-file.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { wordOf } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings, unreadableReason } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { timeToWrite } from './fleet-time.ts';

/** `gitfleet policy show | set FILE | unset`. */
export const show = (call: Call): Promise<number> => onPolicy(call, async () => false);

export async function set(call: Call): Promise<number> {
  const file = String(call.words[0]);
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw usage(`${file} cannot be read: ${unreadableReason(error)}`, 'give a file such as docs/rollouts.md shows');
  });
  const policy = parsePolicyFile(text, file);
  return await onPolicy(call, async (parts) => {
    if (isTogether(policy)) refuseCutover(policy, await readFleet(parts.session, parts.znodes));
    return await put(parts, policy, call);
  });
}

export const unset = (call: Call): Promise<number> => onPolicy(call, (parts) => put(parts, null, call));

type Untimed = Omit<AuditParts, 'now'>;

async function put(parts: Untimed, policy: Policy | null, { options }: Call): Promise<boolean> {
  const { now } = await timeToWrite(parts.session, parts.znodes);
  return await setPolicy({ ...parts, now }, policy, wordOf(options));
}

/** Makes the change, then shows the policy in force, with the waves that the current agents would form. */
async function onPolicy({ options }: Call, change: (parts: Untimed) => Promise<boolean>): Promise<number> {
  const settings = await readSettings(options);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const parts = { session, znodes: paths, access, newNonce };
    const changed = await written('the policy may be changed', () => change(parts));
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
