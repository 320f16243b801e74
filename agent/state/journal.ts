import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import { failure } from '../../schemas/failure.ts';
import { swapped } from '../../schemas/records/cutover.ts';
import { unacknowledgedDrain } from '../../schemas/records/unacknowledged.ts';
import { parseKept } from '../../schemas/target.ts';

/** How one link last showed a release. */
const showing = z.object({
  /** The repository that it came from; absent: not known. */
  url: z.string().optional(),
  endedWell: z.boolean(),
  leftAt: z.number().nullable(),
  /** The journal's counter when the link last left it. */
  leftOrder: z.number().optional(),
});

/**
 * What an agent must remember across a crash, in `<state>/apps/<app>/journal.json`: which target it last accepted, how
 * far it got with it, and what each of its links shows. Intent is written before effect. The disk stays the truth
 * (observe.ts), so a journal that is behind costs a repeated step and nothing else.
 *
 * The activation of the target that was begun is `progress.activation`. Its transitions are in activation.ts:
 *
 *     beginTarget --> none -- intendActivation --> wanted -- activated --> activated -- wellActive --> done
 *
 *     none       nothing of it is shown yet, or it was shown before this target came. The agent fetches, writes,
 *                verifies, prepares, awaits its permit. A release that is shown already goes to `done` by wellActive.
 *     wanted     the link is about to be swapped or was; the activate command has not succeeded. beginTarget goes here
 *                at once if that is pending from before. Without health checks wellActive leads to `done`.
 *     activated  the activate command has succeeded; the health checks have not decided.
 *     done       shown, and nothing is left to do. A link that was turned back is swapped again: intendActivation.
 *     failed     activate or health failed, from wanted, activated, or done (a later health check): actionFailed.
 *                Failures of other actions are counted in `attempts` and change nothing here.
 *
 * In addition, `pendingActivation` is set for each link from intendActivation to wellActive. It outlives `progress`, so
 * that a target that begins later still runs the missing activate command.
 *
 * A release whose step or health check failed, at whatever point, is given up (givenUp): `gaveUp` says that it is not
 * tried again at this targetVersion, and `reversal` says what is still to be done about it. While `reversal` is set,
 * revert.ts takes precedence over any target: intendReturn, the link goes back, returned once the earlier release is
 * activated, reverted.
 */
const journal = z.object({
  format: z.literal(1),
  /** The newest accepted target. Nothing older by mzxid is accepted without a person (TARGET_WENT_BACK). */
  accepted: z
    .object({
      targetVersion: z.string(),
      mzxid: z.string().regex(/^\d{1,20}$/),
      mtime: z.number(),
      /** Set if it was published while this agent was offline: without a permit it goes to the rollout's base. */
      late: z.boolean().optional(),
    })
    .nullable(),
  /** Progress of the target that was begun. */
  progress: z
    .object({
      targetVersion: z.string(),
      commitId: z.string(),
      relativePath: z.string(),
      /** The repository that it came from; absent: not known, as after an earlier version. */
      url: z.string().optional(),
      deployment: z.number().optional(),
      attempts: z.number().int(),
      lastFailure: failure().nullable(),
      /** How it swapped at the instant of a cutover. */
      swapped: swapped().optional(),
      /** Its services whose consumers did not all acknowledge the drain before the swap. */
      unacknowledged: z.array(unacknowledgedDrain()).optional(),
      /** As drawn above. */
      activation: z.enum(['none', 'wanted', 'activated', 'done', 'failed']),
    })
    .nullable(),
  /** Every link that we made, by relativePath, and the commit that it shows. */
  links: z.record(z.string(), z.string()),
  /** Links whose activate command has not succeeded for the commit that they show, and what they showed before it. */
  pendingActivation: z
    .record(z.string(), z.object({ commitId: z.string(), previous: z.string().nullable() }))
    .default({}),
  /**
   * Counts events of releases and orders them by that: if the clock jumps, an old release must not become the newest.
   */
  counter: z.number().default(0),
  /**
   * Releases on this disk: `endedWell` once activated, `leftAt` when another one replaced it. Times are only for ages.
   */
  releases: z.record(
    z.string(),
    z.object({
      endedWell: z.boolean(),
      leftAt: z.number().nullable(),
      at: z.number(),
      /** A step or a health check failed in it, and it has not ended well since. */
      failed: z.boolean().optional(),
      /** The journal's counter when it was last made or shown; absent: older than every release that has one. */
      order: z.number().optional(),
      /** What it was prepared with (steps/release-file.ts); absent: it was not prepared. */
      prepared: z.string().optional(),
      /** Patterns of files that belong in it without being part of the commit. */
      generated: z.array(z.string()).optional(),
      /**
       * Each link that has shown it, by relativePath, and how that ended: a link goes back only to its own releases.
       * Absent: not known, because an earlier version made the release or the journal was lost.
       */
      shownAt: z.record(z.string(), showing).optional(),
    }),
  ),
  /** A release that failed, and what is still to be done about it. Takes precedence over any target. */
  reversal: z
    .object({
      commitId: z.string(),
      relativePath: z.string(),
      targetVersion: z.string(),
      deployment: z.number().nullable(),
      step: z.string(),
      code: z.string(),
      /** The release to go back to; null: the link was not swapped, or there is nothing to go back to. */
      back: z.string().nullable(),
    })
    .nullable()
    .default(null),
  /** The last release that failed here: not tried again at this targetVersion, even after a restart. */
  gaveUp: z
    .object({
      targetVersion: z.string(),
      commitId: z.string(),
      relativePath: z.string(),
      failure: failure(),
      output: z.string(),
    })
    .nullable()
    .default(null),
  /** Why the fleet's newest target is not accepted; null: it is not refused. Only for readers on this server. */
  refused: z.object({ targetVersion: z.string(), failure: failure() }).nullable().default(null),
  /** The fleet's last proven target, as far as this agent knows: it goes back there without asking ZooKeeper. */
  base: z.object({ commitId: z.string(), relativePath: z.string() }).nullable().default(null),
});
export type Journal = z.infer<typeof journal>;
export type Release = Journal['releases'][string];
export type Progress = NonNullable<Journal['progress']>;

export type Reversal = NonNullable<Journal['reversal']>;

export const emptyJournal: Journal = {
  format: 1,
  accepted: null,
  progress: null,
  links: {},
  pendingActivation: {},
  releases: {},
  counter: 0,
  reversal: null,
  gaveUp: null,
  refused: null,
  base: null,
};

/** @throws FleetError JOURNAL_UNREADABLE: a newer agent wrote it, or the disk damaged it. The releases stay served. */
export async function readJournal(directory: string): Promise<Journal> {
  const file = join(directory, 'journal.json');
  try {
    const text = await readIfThere(file);
    return text === null ? emptyJournal : judged(journal.parse(JSON.parse(text)));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    // Not about its content, such as a missing permission.
    if (code !== undefined && code !== 'EFTYPE' && code !== 'EFBIG') throw cause;
    throw FleetError.of('JOURNAL_UNREADABLE', `${file} is not a journal that this version can read`, undefined, cause);
  }
}

/**
 * Without the entries whose commit or path no target may have: an earlier version took them from a rollout without
 * judging them, or another program wrote them, and each of them would be used on the disk.
 */
function judged(read: Journal): Journal {
  const isLegal = (commitId: string, relativePath: string) => parseKept({ commitId, relativePath }).ok;
  const legal = <T extends { commitId: string; relativePath: string }>(entry: T | null): T | null =>
    entry && isLegal(entry.commitId, entry.relativePath) ? entry : null;
  const { reversal, pendingActivation, links } = read;
  const { back = null, relativePath = '' } = reversal ?? {};
  return {
    ...read,
    base: legal(read.base),
    progress: legal(read.progress),
    gaveUp: legal(read.gaveUp),
    reversal: back === null || isLegal(back, relativePath) ? legal(reversal) : null,
    releases: Object.fromEntries(Object.entries(read.releases).filter(([commitId]) => isCommitId(commitId))),
    links: Object.fromEntries(Object.entries(links).filter(([path, commitId]) => isLegal(commitId, path))),
    pendingActivation: Object.fromEntries(
      Object.entries(pendingActivation).filter(([path, { commitId }]) => isLegal(commitId, path)),
    ),
  };
}

/** @throws FleetError JOURNAL_UNREADABLE if a directory is in its place: a person must see who put it there. */
export async function writeJournal(directory: string, value: Journal): Promise<void> {
  const file = join(directory, 'journal.json');
  await writeDurably(file, `${JSON.stringify(value, null, 1)}\n`).catch((cause: NodeJS.ErrnoException) => {
    if (cause.code !== 'EISDIR') throw cause;
    throw FleetError.of('JOURNAL_UNREADABLE', `${file} is a directory`, undefined, cause);
  });
}
