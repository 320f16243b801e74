import { retryRollout } from '../../publisher/retry.ts';
import { retryWords } from '../../publisher/screens/steer-words.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { SteerOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { takeInterrupt } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { followOptions, followPublished } from './follow-published.ts';
import { signerOf } from './signer.ts';

/** `gitfleet retry`: publishes the same target again after a rollout that failed, was halted or aborted. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  const by = author(process.env);
  const following = followOptions(options, settings, by);
  const signer = await signerOf(settings);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const interrupt = takeInterrupt();
    const { beforeWrite } = interrupt;
    const parts = { session, znodes: paths, access, now: () => clock.now(), newNonce, clock, beforeWrite };
    const reason = (options['message'] as string | undefined) ?? '';
    const found = await interrupt.outcomeOf(retryRollout({ ...parts, signer }, { by, reason }));
    if ('record' in found) return await followPublished(parts, found, following, undefined, interrupt);
    const { deployment, state } = found.rollout;
    const words = retryWords(found.do, found.rollout);
    const said: SteerOutput = { deployment, state, changed: false, said: words };
    if (following.json) sayJson(said);
    else say(words);
    return EXIT.converged;
  });
}
