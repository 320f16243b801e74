import type { Published } from '../fleet/publish-transaction.ts';
import { clean } from '../runtime/log.ts';
import { deploymentName } from '../schemas/deployment.ts';
import type { Ending, Progress } from './follow.ts';
import { age, nameAndCommit, short, standingWords } from './words.ts';

/** Lines for what changed since the last look: plain text without control codes, fit for a terminal and `remote:`. */
export interface ProgressLines {
  next(progress: Progress): string[];
}

/** Above this many agents only failures and counts are told, not each success. */
const MOST_SINGLE = 20;
/** A waiting person hears at least this often what is waited for. */
const REMIND_MS = 10_000;

export function createProgressLines(published: Published): ProgressLines {
  const told = new Map<string, string>();
  let stale: string | null = null;
  let remindAt = REMIND_MS;
  return {
    next(progress) {
      const { verdict } = progress;
      const lines: string[] = [];
      if (progress.stale !== stale) {
        stale = progress.stale;
        lines.push(
          stale ? `  ZooKeeper does not answer (${stale}); the picture below is old` : '  ZooKeeper answers again',
        );
      }
      const quiet = verdict.expected > MOST_SINGLE;
      for (const agent of verdict.agents) {
        const words = standingWords(agent);
        const key = `${agent.standing} ${agent.view.report?.error?.code ?? ''}`;
        if (told.get(agent.agentId) === key) continue;
        const worth =
          agent.standing === 'failed' || agent.view.report?.error || (agent.standing === 'active' && !quiet);
        if (!worth) continue;
        told.set(agent.agentId, key);
        lines.push(`  ${clean(agent.agentId, 100)}: ${words} (${age(progress.elapsedMs)})`);
        const hint = agent.standing === 'failed' ? agent.view.report?.error?.hint : undefined;
        if (hint) lines.push(`    ${clean(hint, 300)}`);
      }
      if (!progress.ending && progress.elapsedMs >= remindAt) {
        remindAt = progress.elapsedMs + REMIND_MS;
        lines.push(...waitingFor(progress));
      }
      if (progress.ending) lines.push(...verdictLines(progress, progress.ending, published));
      return lines;
    },
  };
}

function waitingFor({ verdict, elapsedMs }: Progress): string[] {
  const open = verdict.agents.filter((agent) => agent.standing !== 'active');
  if (open.length === 0) return [`  waiting for an agent to come online (${age(elapsedMs)})`];
  const names = open.slice(0, 5).map((agent) => `${clean(agent.agentId, 100)} (${standingWords(agent)})`);
  const more = open.length > 5 ? ` and ${open.length - 5} more` : '';
  return [`  ${verdict.reached}/${verdict.expected} active; waiting for ${names.join(', ')}${more}`];
}

/** The last lines: the verdict, and the next command to type. */
function verdictLines(progress: Progress, ending: Ending, published: Published): string[] {
  const { reached, expected } = progress.verdict;
  const what = nameAndCommit(published.record);
  const count = `${reached}/${expected} agents at ${short(published.record.target.commitId)}`;
  const before = published.previous;
  switch (ending) {
    case 'converged':
      return [`${what}: ${count} in ${age(progress.elapsedMs)}`];
    case 'failed':
      return [
        `${what} FAILED: ${count}`,
        `next: gitfleet status${before ? `; back to ${nameAndCommit(before)}: gitfleet rollback` : ''}`,
      ];
    case 'superseded':
      return [`${what} was superseded: something newer was published (${count})`, 'next: gitfleet status'];
    case 'timed-out':
      return [
        `${what} still running after ${age(progress.elapsedMs)}: ${count}`,
        ...waitingFor(progress),
        `next: gitfleet status (agents go on by themselves; nothing is lost)`,
      ];
    case 'nobody':
      return [
        `${what} is published, but no agent is online: each deploys it when it comes`,
        'next: gitfleet status; on a server: gitfleet agent run',
      ];
  }
}

/** The first lines: what changes. */
export function publishedLines(published: Published): string[] {
  const { record, previous } = published;
  const from = previous ? `${short(previous.target.commitId)} (${deploymentName(previous.number)}) -> ` : '';
  const title = record.reason ? `  ${clean(record.reason, 120)}` : '';
  return [
    `${deploymentName(record.number)}: ${from}${short(record.target.commitId)} at ${record.target.relativePath}, by ${clean(record.author, 100)}${title}`,
  ];
}
