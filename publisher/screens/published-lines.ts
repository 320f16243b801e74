import type { Published } from '../../fleet/publish-transaction.ts';
import { visible } from '../../runtime/safe-text.ts';
import { type Deployment, deploymentName } from '../../schemas/deployment.ts';
import type { Change } from '../change.ts';
import { changeLines, placeLines } from './change-lines.ts';
import type { Screen } from './columns.ts';
import { age, nameAndCommit, short } from './words.ts';

/* The lines before and after a deployment is followed: what it is, and how to follow it again after Ctrl-C. */

/** The followed deployment: just published, or attached to `again`, so that the time before is not known. */
export type Followed = Pick<Published, 'record' | 'targetVersion' | 'previous'> & { readonly again?: boolean };

/** The first lines: what changes. */
export function publishedLines({ record, previous }: Followed, change: Change | null, screen: Screen): string[] {
  const title = record.reason ? `  ${visible(record.reason, 120)}` : '';
  const { lifted, underHold } = record;
  const places = placeLines(previous?.target ?? null, record.target);
  return [
    `${deploymentName(record.number)}: ${stepWords(record, previous)} at ${record.target.relativePath}, by ${visible(record.by, 100)}${title}`,
    ...(underHold
      ? [`  under the hold of ${visible(underHold.by, 100)} (${visible(underHold.reason, 300)}), which stays`]
      : []),
    ...(lifted
      ? [`  by force out of the quarantine of ${visible(lifted.by, 100)}: ${visible(lifted.reason, 300)}`]
      : []),
    ...places,
    ...(change ? changeLines(change, places.length > 0, screen) : []),
  ];
}

function stepWords({ target }: Deployment, previous: Deployment | null): string {
  const to = short(target.commitId);
  if (previous === null) return to;
  const name = deploymentName(previous.number);
  if (previous.target.commitId === target.commitId) return `${to} again (${name})`;
  return `${short(previous.target.commitId)} (${name}) -> ${to}`;
}

/** The first lines of `attach`. */
export function attachedLines({ record, previous }: Followed, now: number): string[] {
  const title = record.reason ? `  ${visible(record.reason, 120)}` : '';
  return [
    `${nameAndCommit(record)}, published ${age(now - record.at)} ago by ${visible(record.by, 100)}${title}`,
    ...placeLines(previous?.target ?? null, record.target),
  ];
}

/** After Ctrl-C: how to follow it again. */
export const detachedLines = ({ record }: Followed): string[] => [
  'detached: the fleet continues without this command',
  attachWords(record),
];

/** The command that follows it again. */
export const attachWords = ({ number }: Pick<Deployment, 'number'>): string =>
  `next: gitfleet attach ${deploymentName(number)}`;
