import type { PagePicture } from './picture.ts';
import { asText } from './texts.ts';

/**
 * What a person may type now. The page changes nothing, so each step is a command to copy. A value of the shared state
 * becomes part of a command only if no shell reads anything into it.
 */

export interface Suggestion {
  readonly command: string;
  /** What it does; empty: the command says it. */
  readonly words: string;
}

const PLAIN_WORD = /^[A-Za-z0-9_][A-Za-z0-9_.:@=+/-]*$/;

/** The command with these words; null if one of them is not plain. */
export const typedCommand = (verb: string, ...words: readonly string[]): string | null =>
  words.every((word) => PLAIN_WORD.test(word)) ? [`gitfleet ${verb}`, ...words].join(' ') : null;

const step = (command: string | null, words: string): Suggestion[] => (command === null ? [] : [{ command, words }]);

/** For the app as a whole; empty: all is well, or nothing but waiting helps. */
export function nextSteps(picture: PagePicture): Suggestion[] {
  const { rollout, target, refused } = picture;
  if (target === null) return refused === null ? step('gitfleet publish', 'publishes the first commit') : back(picture);
  switch (rollout?.state) {
    case 'paused':
      return [
        ...step('gitfleet resume', 'continues'),
        ...step('gitfleet abort', 'ends it: servers keep what they show'),
      ];
    case 'halted':
      return [
        ...back(picture),
        ...step('gitfleet resume', 'continues without the servers that failed'),
        ...step('gitfleet retry', 'begins again, once the cause is fixed'),
        ...step('gitfleet abort', 'ends it: servers keep what they show'),
      ];
    case 'aborted':
      return [...back(picture), ...step('gitfleet retry', 'begins again')];
    case 'running':
      return rollout.waves ? whileRunning(picture) : [];
    default:
      return hasFailed(picture) ? [...back(picture), ...again(picture)] : [];
  }
}

function whileRunning({ rollout }: PagePicture): Suggestion[] {
  const waits = rollout?.policy?.promote === 'manual' && rollout.wave === 0 && rollout.soakAt !== null;
  return [
    ...(waits ? step('gitfleet promote', 'ends the wait after the canary') : []),
    ...step('gitfleet pause', 'stops before the next server'),
  ];
}

const hasFailed = ({ agents, rollout }: PagePicture): boolean =>
  rollout?.state === 'failed' || [...agents.values()].some(({ standing }) => standing === 'failed');

function back({ rollout, deployment }: PagePicture): Suggestion[] {
  const base = rollout?.base;
  const where = base && base.deployment !== deployment?.number ? `goes back to d-${base.deployment}` : 'goes back';
  return step('gitfleet rollback', where);
}

const again = ({ coordinator }: PagePicture): Suggestion[] =>
  coordinator === null ? [] : step('gitfleet retry', 'begins again, once the cause is fixed');

/** For one server. */
export function serverSteps(agentId: string, standing: string): Suggestion[] {
  const look = step(typedCommand('status', agentId), 'shows the same in a terminal');
  const onServer = { command: 'gitfleet agent status', words: `on the server ${asText(agentId, 100)}` };
  switch (standing) {
    case 'offline':
      return [onServer, ...step(typedCommand('forget', agentId), 'if it is gone for good')];
    case 'suspended':
      return [{ command: 'gitfleet agent resume', words: onServer.words }, ...look];
    case 'failed':
      return [onServer, ...look, ...step('gitfleet rollback', 'takes the whole fleet back')];
    default:
      return look;
  }
}
