import { visible } from '../../runtime/safe-text.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import { type Deployment, deploymentName, UNREADABLE } from '../../schemas/deployment.ts';
import type { Quarantined } from '../../schemas/hold.ts';
import { type AuditRecord, auditName } from '../../schemas/records/audit.ts';
import { formatInstant } from '../../schemas/text/instant.ts';
import type { AgentPart } from '../agent-part.ts';
import type { Screen, Tone } from './columns.ts';
import { aligned, type Cell, cut } from './columns.ts';
import { spreadWords } from './cutover-words.ts';
import { signedWith } from './signature-lines.ts';
import { age, nameAndCommit, names, outcomeWord, short } from './words.ts';

interface Shown {
  readonly quarantined?: readonly Quarantined[];
  /** How many deployments are shown; one more tells whether the last of these changed repository or place. */
  readonly most?: number;
  /** What people did besides deploying, shown between the deployments. */
  readonly acts?: readonly AuditRecord[];
  /** From when on acts are shown. */
  readonly from?: number;
  /** Times as dates instead of ages. */
  readonly utc?: boolean;
  /** The part of one agent in each deployment, which is shown, too. */
  readonly part?: (record: Deployment) => AgentPart;
}

/** `gitfleet history`: newest first; the star marks what config shows. */
export function historyLines(
  history: readonly Deployment[],
  current: number | null,
  screen: Screen,
  { quarantined = [], most = history.length, acts = [], from, utc = false, part }: Shown = {},
): string[] {
  const refused = new Set<string>(quarantined.map((each) => each.commitId));
  const time = (at: number) => (utc ? formatInstant(at) : `${age(screen.now - at)} ago`);
  const partCells = (record: Deployment | null): Cell[] =>
    part === undefined ? [] : [{ text: record === null ? '' : partWords(part(record)) }];
  const rows = inTimeOrder(history, most, acts, from).map((each): Cell[] => {
    if ('act' in each) return actCells(each.act, time, partCells(null));
    const { record, at } = each;
    const outcome = outcomeWord(record, record.number === current);
    const tone = TONES[outcome];
    return [
      { text: `${record.number === current ? '*' : ' '} ${deploymentName(record.number)}` },
      { text: short(record.target.commitId) },
      { text: outcome, ...(tone ? { tone } : {}) },
      { text: record.outcome ? `${record.outcome.reached}/${record.outcome.expected}` : '' },
      ...partCells(record),
      { text: time(record.at) },
      { text: cut(visible(record.by, 100), 20) },
      {
        text: [
          refused.has(record.target.commitId) ? '(in quarantine) ' : '',
          moved(record, history.slice(at + 1).find(isReadable)),
          without(record),
          together(record),
          marks(record),
        ].join(''),
      },
    ];
  });
  // A person looks for the reason, so it wraps and is not cut.
  const lines = aligned(rows, { ...screen, columns: Number.POSITIVE_INFINITY });
  return history.length > 0 ? lines : [...lines, 'nothing published yet', 'next: gitfleet publish'];
}

type HistoryItem = { readonly record: Deployment; readonly at: number } | { readonly act: AuditRecord };

/**
 * The deployments that are shown and the acts between them, newest first.
 * @param from when the oldest act was; else that of the oldest deployment shown, or all where all are shown.
 */
export function inTimeOrder(
  history: readonly Deployment[],
  most: number,
  acts: readonly AuditRecord[],
  from = history.length > most ? (history[most - 1]?.at ?? 0) : Number.NEGATIVE_INFINITY,
): HistoryItem[] {
  const left = acts.filter(({ at }) => at >= from);
  const items: HistoryItem[] = [];
  for (const [at, record] of history.slice(0, most).entries()) {
    while (left[0] && left[0].at > record.at) items.push({ act: left.shift() as AuditRecord });
    items.push({ record, at });
  }
  return [...items, ...left.map((act) => ({ act }))];
}

function actCells(
  { number, kind, by, reason, at, what }: AuditRecord,
  time: (at: number) => string,
  part: readonly Cell[],
): Cell[] {
  const about = [isCommitId(what) ? short(what) : visible(what, 200), visible(reason, 200)];
  return [
    { text: `  ${auditName(number)}` },
    { text: '' },
    { text: kind },
    { text: '' },
    ...part,
    { text: time(at) },
    { text: cut(visible(by, 100), 20) },
    { text: about.filter((text) => text !== '').join(': ') },
  ];
}

const partWords = ({ state, code }: AgentPart): string => (code === null ? state : `${state}: ${visible(code, 60)}`);

const TONES: Readonly<Record<string, Tone>> = {
  proven: 'good',
  failed: 'bad',
  'rolled-back': 'bad',
  current: 'busy',
  'timed-out': 'busy',
};

const isReadable = ({ target }: Deployment): boolean => target.url !== UNREADABLE;

/** Repository and place, if they differ from those of the deployment before. */
function moved(record: Deployment, before: Deployment | undefined): string {
  if (!before || !isReadable(record)) return '';
  const { url, relativePath } = record.target;
  const words = [
    ...(relativePath === before.target.relativePath ? [] : [`now at ${visible(relativePath, 100)}`]),
    ...(url === before.target.url ? [] : [`now from ${visible(url, 200)}`]),
  ];
  return words.length === 0 ? '' : `(${words.join(', ')}) `;
}

/** The agents that a proven deployment did not reach. */
function without({ outcome }: Deployment): string {
  if (outcome?.state !== 'proven' || outcome.missing.length === 0) return '';
  return `(without ${names(outcome.missing.map(({ agentId, code }) => `${agentId}: ${code}`))}) `;
}

/** How close together its agents swapped. */
const together = ({ outcome }: Deployment): string => (outcome?.cutover ? `(${spreadWords(outcome.cutover)}) ` : '');

/** The reason that gitfleet writes for a rollback without one. */
export const GENERATED_REASON = /^back to d-\d+$/;

function marks({ returnsTo, lifted, reason, target }: Deployment): string {
  const words = returnsTo === null ? '' : `back to ${deploymentName(returnsTo)}`;
  const ownWords = words === '' || !GENERATED_REASON.test(reason);
  const back = words === '' || !ownWords ? '' : `(${words}) `;
  const from =
    lifted === null ? '' : `(out of the quarantine of ${visible(lifted.by, 40)}: ${visible(lifted.reason, 80)}) `;
  const signed = signedWith(target.signature);
  const by = signed === '' ? '' : `(${signed.slice(0, MAX_SIGNED)}) `;
  // `returnsTo` is right; the reason in older records may name an earlier rollback instead.
  return `${back}${from}${by}${ownWords ? visible(reason, 200) : words}`.trimEnd();
}

/** Enough of a fingerprint to tell two keys apart. */
const MAX_SIGNED = 'signed with SHA256:'.length + 8;

/** For a target that is already published: if its deployment failed, how to try again; otherwise empty. */
export function againWords({ outcome }: Deployment): string {
  if (outcome?.state !== 'failed' && outcome?.state !== 'aborted') return '';
  return `; it ${outcome.state === 'failed' ? 'has failed' : 'was aborted'}: gitfleet retry tries it again`;
}

/** `d-5 1f2e3d4c5b: proven 2 h ago, 3/3 agents, judged by ann`, and the missing agents. */
export function pastLines(record: Deployment, now: number): string[] {
  const { outcome } = record;
  if (!outcome) return [`${nameAndCommit(record)} was superseded before it was judged`, 'next: gitfleet history'];
  const by = outcome.by === '' ? '' : `, judged by ${visible(outcome.by, 100)}`;
  const why = outcome.reason ? `: ${visible(outcome.reason, 300)}` : '';
  return [
    ...(outcome.cutover ? [`  ${spreadWords(outcome.cutover)}`] : []),
    ...outcome.missing.map(({ agentId, code }) => `  ${visible(agentId, 100)}: ${visible(code, 100)}`),
    `${nameAndCommit(record)}: ${outcome.state} ${age(now - outcome.at)} ago, ${outcome.reached}/${outcome.expected} agents${by}${why}`,
    'next: gitfleet status shows the present target',
  ];
}
