import { visible } from '../../runtime/safe-text.ts';
import { durationOf } from '../../schemas/policy.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import type { JudgedAgent } from '../verdict.ts';
import { age, names } from './words.ts';

/**
 * `canary: web-1`, `wave 2: web-4, web-5`, `paused by ann: lunch`; empty if there are no waves.
 * @param agents the known ones: none that is not done is called done.
 * @param now ms since the epoch; null: for a line that stays, which only says how long the soak takes.
 */
export function waveWords(rollout: Rollout | null, agents: readonly JudgedAgent[], now: number | null): string {
  const held = heldWords(rollout);
  if (held !== null) return held;
  if (rollout?.state !== 'running') return '';
  const name = waveName(rollout);
  const { members } = rollout;
  if (members.length === 0) return name;
  const watched = watchedWords(rollout, now);
  if (watched === null) return `${name}: ${names(members)}`;
  const undone = members.filter((id) => !isDone(id, rollout, agents));
  const done = members.filter((id) => !undone.includes(id));
  if (done.length === 0) return `${name}: continues without ${names(undone)}, ${watched}`;
  const without = undone.length === 0 ? '' : ` without ${names(undone)}`;
  return `${name}: ${names(done)}, done${without}, ${watched}`;
}

/** Null: the wave is not watched, or not yet. */
function watchedWords({ soakAt, policy }: Rollout, now: number | null): string | null {
  if (soakAt === null || policy === null) return null;
  if (now === null) return `to be watched for ${policy.soak}`;
  // The times of a rollout come from another clock than ours.
  const passed = Math.min(Math.max(0, now - soakAt), durationOf(policy.soak));
  return `watched for ${age(passed)} of ${policy.soak}`;
}

/** The agent's own report counts. For an agent that is unknown here, the rollout says whether it was passed over. */
function isDone(agentId: string, { excused, late }: Rollout, agents: readonly JudgedAgent[]): boolean {
  const known = agents.find((agent) => agent.agentId === agentId);
  return known ? known.standing === 'active' : !excused.includes(agentId) && !late.includes(agentId);
}

/** The name of the current wave on every screen. */
export const waveName = ({ wave, policy }: Pick<Rollout, 'wave' | 'policy'>): string =>
  wave === 0 && policy?.canary !== undefined ? 'canary' : `wave ${wave}`;

/** The text after the word `aborted`: ` by ann: lunch` if the reason begins with `aborted by`, otherwise `: lunch`. */
export const abortWords = (reason: string): string =>
  reason.startsWith('aborted by ') ? visible(reason.slice('aborted'.length), 300) : `: ${visible(reason, 300)}`;

/** What the whole rollout waits for; null: only the agents of its wave. */
export function heldWords(rollout: Rollout | null): string | null {
  if (rollout?.state === 'paused') {
    const { by = 'unknown', reason = '' } = rollout.paused ?? {};
    return `paused by ${visible(by, 100)}${reason === '' ? '' : `: ${visible(reason, 200)}`}`;
  }
  return rollout?.state === 'running' && rollout.reason !== '' ? visible(rollout.reason, 300) : null;
}
