import { visible } from '../runtime/visible.ts';
import type { Rollout } from '../schemas/rollout.ts';
import { names } from './words.ts';

/** `canary: web-1`, `wave 2: web-4, web-5`, `paused by ann: lunch`; empty where there are no waves. */
export function waveWords(rollout: Rollout | null): string {
  const held = heldWords(rollout);
  if (held !== null) return held;
  if (rollout?.state !== 'running') return '';
  const name = waveName(rollout);
  const soaks = rollout.soakFrom === null ? '' : `, done and watched for ${rollout.policy?.soak ?? ''}`;
  return rollout.members.length === 0 ? name : `${name}: ${names(rollout.members)}${soaks}`;
}

/** How the present wave is called wherever people read of it. */
export const waveName = ({ wave, policy }: Pick<Rollout, 'wave' | 'policy'>): string =>
  wave === 0 && policy?.canary !== undefined ? 'canary' : `wave ${wave}`;

/** What follows the word `aborted`: ` by ann: lunch`, for the reason itself begins with it; of any other `: lunch`. */
export const abortWords = (why: string): string =>
  why.startsWith('aborted by ') ? visible(why.slice('aborted'.length), 300) : `: ${visible(why, 300)}`;

/** What the whole rollout waits for; null: only for the agents of its wave. */
export function heldWords(rollout: Rollout | null): string | null {
  if (rollout?.state === 'paused') {
    const { by = 'somebody', why = '' } = rollout.paused ?? {};
    return `paused by ${visible(by, 100)}${why === '' ? '' : `: ${visible(why, 200)}`}`;
  }
  return rollout?.state === 'running' && rollout.why !== '' ? visible(rollout.why, 300) : null;
}
