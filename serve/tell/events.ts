import { ENDINGS, type ToldDeployment, type ToldEnding, type ToldEvent, type What } from './event.ts';
import type { ToldAct, ToldRecord, ToldRollout, ToldView } from './view.ts';

/** Nothing older is told: a server that was away for a week does not send a week. */
export const OLDEST_MS = 3_600_000;

const OPEN = ['running', 'paused', 'halted'];
const NONE = { deployment: null, by: '', reason: '', agents: [], reached: 0, expected: 0 } as const;

/**
 * Everything of the last hour that is worth telling, oldest first, as the shared state of `app` shows it. Pure, and
 * without memory: a process that starts later, or took over, finds the same events under the same keys. A halt has no
 * time of its own; it is told while it lasts, and counts as happening now.
 * @param now ms since the epoch by the clock of the ensemble.
 */
export function eventsOf(app: string, view: ToldView, now: number): ToldEvent[] {
  const oldest = now - OLDEST_MS;
  const events = [
    ...view.history.flatMap((record) => eventsOfRecord(app, record, view.rollout)),
    ...view.acts.flatMap((act) => eventOfAct(app, act)),
  ].filter(({ at }) => at >= oldest);
  const halted = view.rollout?.state === 'halted' ? haltOf(app, view, view.rollout, now) : [];
  return [...events, ...halted].sort(byTime);
}

/** By time, and at one time the opening first. */
export const byTime = (a: ToldEvent, b: ToldEvent): number =>
  a.at - b.at || rank(a.what) - rank(b.what) || (a.key < b.key ? -1 : 1);

const rank = (what: What): number => (what === 'begun' ? 0 : what === 'halted' ? 1 : 2);

function eventsOfRecord(app: string, record: ToldRecord, rollout: ToldRollout | null): ToldEvent[] {
  const { number, by, reason, at, outcome } = record;
  const deployment = deploymentOf(record);
  const key = (what: What) => `${app} d-${number} ${what}`;
  const begun: ToldEvent = { ...NONE, key: key('begun'), what: 'begun', at, app, deployment, by, reason };
  const ending = outcome && endingOf(outcome.state);
  if (!outcome || !ending || isOpenStill(ending, number, rollout)) return [begun];
  const { reached, expected, missing } = outcome;
  // An outcome names twenty at most, the rollout all of them.
  const agents = rollout?.deployment === number && rollout.failures.length > 0 ? rollout.failures : missing;
  const told = { deployment, by: outcome.by, reason: outcome.reason ?? '', agents, reached, expected };
  // An ending is never before its opening, whatever the clocks of the writers said.
  return [begun, { ...told, key: key(ending), what: ending, at: Math.max(at, outcome.at), app }];
}

/** A publisher that stopped waiting says `timed-out`; while the rollout is open, that is no ending. */
const isOpenStill = (ending: ToldEnding, number: number, rollout: ToldRollout | null): boolean =>
  ending === 'timed-out' && rollout?.deployment === number && OPEN.includes(rollout.state);

const endingOf = (state: string): ToldEnding | null => ENDINGS.find((ending) => ending === state) ?? null;

/** One for each time that it halts: what people said since is part of the key. */
function haltOf(app: string, view: ToldView, rollout: ToldRollout, now: number): ToldEvent[] {
  const record = view.history.find(({ number }) => number === rollout.deployment);
  if (record === undefined) return [];
  const key = `${app} d-${rollout.deployment} halted ${rollout.steered[0]?.at ?? 0}`;
  const { reached, expected } = view;
  const told = { reason: rollout.reason, agents: rollout.failures, reached, expected };
  return [{ ...NONE, ...told, key, what: 'halted', at: now, app, deployment: deploymentOf(record) }];
}

function eventOfAct(app: string, { number, kind, by, reason, at }: ToldAct): ToldEvent[] {
  if (kind !== 'hold' && kind !== 'unhold') return [];
  const what = kind === 'hold' ? 'hold-set' : 'hold-lifted';
  return [{ ...NONE, key: `${app} a-${number} ${what}`, what, at, app, by, reason }];
}

const deploymentOf = ({ number, target: { url, commitId }, ref, returnsTo }: ToldRecord): ToldDeployment => ({
  number,
  url,
  commitId,
  ref,
  returnsTo,
});
