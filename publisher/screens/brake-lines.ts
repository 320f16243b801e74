import { endedHoldWords, holdWords, quarantineWords } from '../../fleet/admission.ts';
import type { AgentView } from '../../fleet/fleet-view.ts';
import type { Forgotten } from '../../fleet/forget.ts';
import { visible } from '../../runtime/safe-text.ts';
import { type Brake, type Hold, inForce, type Quarantined } from '../../schemas/hold.ts';
import { hasLeft } from '../../schemas/report.ts';
import { age } from './words.ts';

/** The output of `hold`, `quarantine` and `forget` and their opposites, also if there was nothing to do. */
export const holdLines = (app: string, held: Hold): string[] => [
  `${app}: ${holdWords(held)}`,
  'a deployment in progress continues; next: gitfleet unhold ends the hold',
];

/** `gitfleet hold` without arguments. */
export function heldNowLines(app: string, { value, unreadable }: Brake<Hold | null>, now: number): string[] {
  if (unreadable !== null) return [`${app}: publishing is refused: ${unreadable}`, 'next: gitfleet unhold removes it'];
  const held = inForce(value, now);
  return held === null ? [`${app}: publishing is not held`] : holdLines(app, held);
}

/** `gitfleet quarantine` without arguments: newest first. */
export function quarantinedNowLines(app: string, { value, unreadable }: Brake<readonly Quarantined[]>): string[] {
  if (unreadable !== null) return [`${app}: publishing is refused: ${unreadable}`];
  if (value.length === 0) return [`${app}: no commit is in quarantine`];
  return value.map((entry) => `${app}: ${quarantineWords(entry)}`);
}

export function unholdLines(app: string, ended: Hold | 'unreadable' | null): string[] {
  if (ended === null) return [`${app}: publishing was not held`];
  if (ended === 'unreadable') return [`${app}: the unreadable content of the hold znode was removed`];
  return [`${app}: publishing is allowed again: ${endedHoldWords(ended)}`];
}

/**
 * @param isWanted whether config holds this commit now.
 * @param changed false: it was already in quarantine, and the first reason stands.
 */
export const quarantineLines = (app: string, entry: Quarantined, isWanted: boolean, changed: boolean): string[] => [
  `${app}: ${quarantineWords(entry)}`,
  ...(changed ? [] : ['it was in quarantine already; its reason stays, yours is not kept']),
  isWanted
    ? 'it is what the fleet shows now: agents that show it keep it; next: gitfleet rollback'
    : `next: gitfleet unquarantine ${entry.commitId.slice(0, 12)} lifts it`,
];

export const unquarantineLines = (app: string, commitId: string, lifted: Quarantined | null): string[] => [
  lifted
    ? `${app}: the quarantine is lifted: ${quarantineWords(lifted, 'was')}`
    : `${app}: ${commitId.slice(0, 12)} was not in quarantine`,
];

/** `gitfleet forget --list`. */
export function forgettableLines(views: readonly AgentView[], now: number): string[] {
  if (views.length === 0) return ['no agent is offline: there is nothing to forget'];
  const rows = views.map(({ agentId, reportedAt, report, falsePresence }) => {
    const seen = reportedAt === null ? 'never reported' : `last report ${age(now - reportedAt)} ago`;
    const how = falsePresence
      ? ', a node that is not its own is in its place'
      : hasLeft(report)
        ? ', left for good'
        : '';
    return `${visible(agentId, 100)}: ${seen}${how}`;
  });
  return [...rows, 'next: gitfleet forget AGENT..., or gitfleet forget --older 1h; what comes back is listed again'];
}

export const forgottenLines = (agentId: string, what: Forgotten): string[] => [
  what === 'name'
    ? `${visible(agentId, 100)}: the node in its place is removed; an agent of that name can come online`
    : `${visible(agentId, 100)} is forgotten: its report is removed; it is back as soon as its agent runs again`,
];
