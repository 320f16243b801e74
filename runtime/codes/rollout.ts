import type { CodeRows } from './row.ts';

/** What prevents a deployment in the fleet, and how one ended. */
export const rolloutCodes = () =>
  ({
    HOLD: {
      next: 'wait',
      about: 'rollout',
      means: 'Somebody holds publishing, or the hold znode cannot be read, which counts as a hold.',
      hint: 'ask the person who holds it; an operator ends it with: gitfleet unhold',
    },
    QUARANTINED: {
      next: 'stall',
      about: 'rollout',
      means:
        'The commit is, or contains, one in quarantine, or the quarantine znode cannot be read. An agent looks at the commit alone, and waits until that changes.',
      hint: 'publish another commit; or lift it: gitfleet unquarantine COMMIT; or publish it with --force -m WHY',
    },
    ROLLOUT_OVER: {
      next: 'stall',
      about: 'rollout',
      means: 'The rollout has ended, so it cannot be steered.',
      hint: 'gitfleet retry publishes it again; gitfleet rollback goes back to what was proven',
    },
    ROLLOUT_NEWER: {
      next: 'stall',
      about: 'rollout',
      means: 'A newer version of gitfleet leads the rollout, in a state that this version does not know.',
      hint: 'use the version of gitfleet that leads it; gitfleet publish and gitfleet rollback work all the same',
    },
    NO_COORDINATOR: {
      next: 'retry',
      about: 'rollout',
      means: 'No online agent leads rollouts, so none has taken up what was published.',
      hint: 'start an agent with coordinator.authFile in its settings; gitfleet status shows who is online',
    },
    NOT_CLEARED: {
      next: 'wait',
      about: 'rollout',
      means: 'The rollout was paused, or moved to another wave, just before the agent would have activated.',
      hint: 'nothing to do here: gitfleet status shows what the rollout waits for',
    },
    NO_LONGER_WANTED: {
      next: 'retry',
      about: 'rollout',
      means: 'A newer target arrived while this one was being prepared.',
      hint: 'nothing to do: the newer target is on its way to this agent',
    },
    FLOOR: {
      next: 'wait',
      about: 'rollout',
      means: 'The server would leave its service with fewer instances than the floor allows.',
      hint: 'nothing to do if other instances come back; else see who is missing: gitfleet service list NAME',
    },
    CUTOVER: {
      next: 'stall',
      about: 'server',
      means: 'The policy says that all agents swap at one instant, and this agent cannot: a cutover is for links only.',
      hint: 'take services and restarts out of the settings of that agent, or update it; or set a policy without cutover',
    },
    GONE: {
      next: 'stall',
      about: 'server',
      means: 'The agent went offline during its turn in the rollout and did not come back within the deadline.',
      hint: 'find out why on that server: systemctl status gitfleet-agent, and its log',
    },
  }) as const satisfies CodeRows;
