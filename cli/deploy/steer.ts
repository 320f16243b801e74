import { findWayBack } from '../../publisher/rollback.ts';
import { nextCommands, nextWords } from '../../publisher/screens/next-commands.ts';
import { steerWords } from '../../publisher/screens/steer-words.ts';
import type { Steering } from '../../publisher/steer.ts';
import { steerRollout } from '../../publisher/steer-rollout.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { SteerOutput } from '../../schemas/json-output.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';

const NEXT: Record<Exclude<Steering, 'abort'>, string[]> = {
  pause: ['gitfleet resume', 'gitfleet abort'],
  resume: ['gitfleet attach'],
  promote: ['gitfleet attach'],
};

/** `gitfleet pause | resume | abort | promote`: the operator commands for the current rollout. */
export const pause = steerVerb('pause');
export const resume = steerVerb('resume');
export const abort = steerVerb('abort');
export const promote = steerVerb('promote');

function steerVerb(verb: Steering): (call: Call) => Promise<number> {
  return async ({ options }) => {
    const settings = await readSettings(options);
    return await withSession(settings, async (session) => {
      const word = { by: author(process.env), reason: (options['message'] as string | undefined) ?? '' };
      const parts = { session, znodes: znodes(settings.app), clock };
      const steered = await written(`${verb} may be done`, () => steerRollout(parts, verb, word));
      const changed = steered.do === 'write';
      const { deployment, state } = steered.rollout;
      const words = steerWords(steered);
      const said: SteerOutput = { deployment, state, changed, said: words };
      if (options['json']) sayJson(said);
      else say(words, ...(changed ? [nextWords(await waysAfter(verb, session, parts.znodes))] : []));
      return EXIT.converged;
    });
  };
}

async function waysAfter(verb: Steering, session: Session, paths: Znodes): Promise<string[]> {
  if (verb !== 'abort') return NEXT[verb];
  return nextCommands('aborted', { wayBack: await findWayBack(session, paths), isLed: true }, null);
}
