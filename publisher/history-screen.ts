import { visible } from '../runtime/visible.ts';
import { type Deployment, deploymentName } from '../schemas/deployment.ts';
import type { Quarantined } from '../schemas/hold.ts';
import { aligned, type Cell, cut } from './columns.ts';
import type { Screen, Tone } from './paint.ts';
import { age, outcomeWord, short } from './words.ts';

/** `gitfleet history`: newest first; the star marks what config shows. */
export function historyLines(
  history: readonly Deployment[],
  current: number | null,
  screen: Screen,
  quarantined: readonly Quarantined[] = [],
): string[] {
  if (history.length === 0) return ['nothing published yet', 'next: gitfleet publish'];
  const refused = new Set<string>(quarantined.map((each) => each.commitId));
  const rows = history.map((record): Cell[] => {
    const outcome = outcomeWord(record, record.number === current);
    const tone = TONES[outcome];
    return [
      { text: `${record.number === current ? '*' : ' '} ${deploymentName(record.number)}` },
      { text: short(record.target.commitId) },
      { text: outcome, ...(tone ? { tone } : {}) },
      { text: record.outcome ? `${record.outcome.reached}/${record.outcome.expected}` : '' },
      { text: `${age(screen.now - record.at)} ago` },
      { text: cut(visible(record.author, 100), 20) },
      {
        text: `${refused.has(record.target.commitId) ? '(in quarantine) ' : ''}${marks(record)}${visible(record.reason, 200)}`,
      },
    ];
  });
  // The reason is what a person looks for: it wraps rather than be cut.
  return aligned(rows, { ...screen, columns: Number.POSITIVE_INFINITY });
}

const TONES: Readonly<Record<string, Tone>> = {
  proven: 'good',
  failed: 'bad',
  'rolled-back': 'bad',
  current: 'busy',
  'timed-out': 'busy',
};

function marks({ returnsTo, lifted, reason }: Deployment): string {
  const words = returnsTo === null ? '' : `back to ${deploymentName(returnsTo)}`;
  // A rollback that nobody gave a reason says it in just these words.
  const back = words === '' || reason === words ? '' : `(${words}) `;
  return lifted === null
    ? back
    : `${back}(out of the quarantine of ${visible(lifted.by, 40)}: ${visible(lifted.reason, 80)}) `;
}
