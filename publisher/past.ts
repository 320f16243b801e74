import { visible } from '../runtime/safe-text.ts';
import type { Deployment } from '../schemas/deployment.ts';
import type { Ending } from './follow.ts';
import { age, nameAndCommit } from './screens/words.ts';

/**
 * How a deployment ended that config does not hold any more: by its record; one that nobody judged was superseded.
 */
export function endingOfPast({ outcome }: Deployment): Exclude<Ending, 'nobody' | 'timed-out' | 'halted'> {
  switch (outcome?.state) {
    case 'proven':
      return 'converged';
    case 'failed':
    case 'aborted':
    case 'rolled-back':
      return outcome.state;
    default:
      return 'superseded';
  }
}

/** What to add where it is published already: that it has ended badly, and how it is tried again; else nothing. */
export function againWords({ outcome }: Deployment): string {
  if (outcome?.state !== 'failed' && outcome?.state !== 'aborted') return '';
  return `; it ${outcome.state === 'failed' ? 'has failed' : 'was aborted'}: gitfleet retry tries it again`;
}

/** `d-5 1f2e3d4c5b: proven 2 h ago, 3/3 agents, judged by ann`, and who is missing. */
export function pastLines(record: Deployment, now: number): string[] {
  const { outcome } = record;
  if (!outcome) return [`${nameAndCommit(record)} was superseded before anybody judged it`, 'next: gitfleet history'];
  const by = outcome.by === '' ? '' : `, judged by ${visible(outcome.by, 100)}`;
  const why = outcome.reason ? `: ${visible(outcome.reason, 300)}` : '';
  return [
    ...outcome.missing.map(({ agentId, code }) => `  ${visible(agentId, 100)}: ${visible(code, 100)}`),
    `${nameAndCommit(record)}: ${outcome.state} ${age(now - outcome.at)} ago, ${outcome.reached}/${outcome.expected} agents${by}${why}`,
    'next: gitfleet status shows what is wanted now',
  ];
}
