import type { Steering } from '../publisher/steer.ts';
import { steerRollout } from '../publisher/steer-rollout.ts';
import { systemClock as clock } from '../runtime/clock.ts';
import type { SteerOutput } from '../schemas/output.ts';
import { znodes } from '../schemas/znodes.ts';
import { author } from './author.ts';
import { EXIT } from './exit-codes.ts';
import { written } from './interrupt.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say } from './terminal.ts';
import { withSession } from './with-session.ts';

const NEXT: Record<Steering, string> = {
  pause: 'next: gitfleet resume, or gitfleet abort',
  resume: 'next: gitfleet attach',
  promote: 'next: gitfleet attach',
  abort: 'next: gitfleet rollback goes back to what was proven; gitfleet retry tries again',
};

/** `gitfleet pause | resume | abort | promote`: a person's word about the rollout that goes on. */
export function steerVerb(verb: Steering): (call: Call) => Promise<number> {
  return async ({ options }) => {
    const settings = await readSettings(options);
    return await withSession(settings, async (session) => {
      const word = { by: author(process.env), why: (options['message'] as string | undefined) ?? '' };
      const parts = { session, znodes: znodes(settings.app), clock };
      const steered = await written(`${verb} may be done`, () => steerRollout(parts, verb, word));
      const changed = steered.do === 'write';
      const { deployment, state } = steered.rollout;
      const said: SteerOutput = { deployment, state, changed, said: steered.said };
      if (options['json']) say(JSON.stringify(said));
      else say(steered.said, ...(changed ? [NEXT[verb]] : []));
      return EXIT.converged;
    });
  };
}
