import { lstat, open, readdir, readlink } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { flock } from '../../runtime/flock.ts';
import { nullIf } from '../../runtime/read-if-there.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import type { Layout } from '../disk/layout.ts';
import { listReleases } from '../disk/releases.ts';
import { type Journal, readJournal } from '../state/journal.ts';
import { type Override, readOverride } from '../state/override.ts';
import { type PresenceProblem, readPresenceProblem } from '../state/presence-problem.ts';
import { newestFirst } from '../state/retention.ts';
import { readSuspension, type Suspension } from '../state/suspension.ts';
import { type AdoptionRecord, readAdoptions } from './adoption-record.ts';

/** The state of an agent, from its own disk alone. */
export interface LocalStatus {
  /**
   * Whether an agent (or another command of ours) holds the state directory; null: unknown, because flock is missing or
   * failed.
   */
  readonly running: boolean | null;
  readonly links: readonly ShownLink[];
  readonly accepted: Journal['accepted'];
  readonly progress: Journal['progress'];
  /** The releases on the disk, newest first. */
  readonly releases: readonly KeptRelease[];
  /** `counts`: it was given against the last accepted target, so it applies here. */
  readonly override: (Override & { readonly counts: boolean }) | null;
  readonly suspension: Suspension | null;
  /** The last release that failed here, and its revert if that has not ended. */
  readonly gaveUp: Journal['gaveUp'];
  readonly reversal: Journal['reversal'];
  /** Why the newest target that the agent received is not accepted; null: it is, or there was none. */
  readonly refused: Journal['refused'];
  readonly adoptions: readonly AdoptionRecord[];
  /** Why the fleet does not see the agent that runs here as online; null: it does, or none runs. */
  readonly presence: PresenceProblem | null;
  /** Old releases, or parts of them, that the agent could not delete and set aside. */
  readonly undeletable: readonly string[];
}

export interface ShownLink {
  readonly relativePath: string;
  readonly link: string;
  readonly commitId: string | null;
  /** What is there if it is not a link of ours. */
  readonly instead: 'nothing' | 'a directory' | 'a file' | 'a link that leads elsewhere' | null;
}

export interface KeptRelease {
  readonly commitId: string;
  readonly endedWell: boolean;
  readonly leftAt: number | null;
  /** Null: the journal does not know it. */
  readonly at: number | null;
  /** Set once its prepare step ended well. */
  readonly prepared?: string | undefined;
}

/**
 * Whether the release of the accepted target is ready and only the clearance to activate it is missing. The disk does
 * not know what exactly it waits for (a permit, a coordinator): the agent asks ZooKeeper for that each time.
 * @param prepares whether this server has to do anything before a release is shown.
 */
export function awaitsClearance(status: LocalStatus, prepares: boolean): boolean {
  const { progress, links, releases, gaveUp, refused, override, suspension } = status;
  if (progress?.activation !== 'none' || progress.lastFailure || suspension || override?.counts) return false;
  if (refused) return false;
  if (gaveUp?.targetVersion === progress.targetVersion && gaveUp.commitId === progress.commitId) return false;
  const link = links.find(({ relativePath }) => relativePath === progress.relativePath);
  const free = link === undefined || link.instead === null || link.instead === 'nothing';
  if (!free || link?.commitId === progress.commitId) return false;
  const made = releases.find((release) => release.commitId === progress.commitId);
  return made !== undefined && (!prepares || made.prepared !== undefined);
}

/** Only reads: keeps no lock, creates no file, contacts no server. @throws FleetError JOURNAL_UNREADABLE. */
export async function readLocalStatus(layout: Layout, clock: Clock): Promise<LocalStatus> {
  const journal = await readJournal(layout.appState);
  const { accepted, progress, gaveUp, reversal, refused } = journal;
  const paths = new Set([...Object.keys(journal.links), ...(progress ? [progress.relativePath] : [])]);
  const [running, override, suspension, adoptions, undeletable, problem, releases, ...links] = await Promise.all([
    isTaken(join(layout.state, 'lock'), clock),
    readOverride(layout.appState),
    readSuspension(layout.appState),
    readAdoptions(layout.appState),
    setAside(layout),
    readPresenceProblem(layout.appState),
    keptReleases(layout, journal),
    ...[...paths].sort().map((path) => shownBy(layout, path)),
  ]);
  const counting = override && { ...override, counts: override.against === accepted?.targetVersion };
  const standing = { override: counting, suspension, gaveUp, reversal, refused };
  // An agent that was killed could not remove its note.
  const presence = running === false ? null : problem;
  return { running, presence, links, accepted, progress, releases, ...standing, adoptions, undeletable };
}

/** With the names of git/worktree/discard.ts. */
async function setAside({ app, releases }: Layout): Promise<string[]> {
  const listed = [app, releases].map(async (directory) => {
    const names = await readdir(directory).catch(() => []);
    return names.filter((name) => name.startsWith('.undeletable-')).map((name) => join(directory, name));
  });
  return (await Promise.all(listed)).flat();
}

/** The disk is the truth: after a crash the journal may be behind it. */
async function shownBy(layout: Layout, relativePath: string): Promise<ShownLink> {
  const link = join(layout.root, relativePath);
  const found = await lstat(link).catch(() => null);
  const about = { relativePath, link, commitId: null };
  if (!found) return { ...about, instead: 'nothing' };
  if (!found.isSymbolicLink()) return { ...about, instead: found.isDirectory() ? 'a directory' : 'a file' };
  const shown = relative(layout.releases, resolve(dirname(link), await readlink(link)));
  if (isCommitId(shown)) return { ...about, commitId: shown, instead: null };
  return { ...about, instead: 'a link that leads elsewhere' };
}

async function keptReleases(layout: Layout, journal: Journal): Promise<KeptRelease[]> {
  const names = (await listReleases(layout).catch(nullIf('ENOENT'))) ?? [];
  const unknown = { endedWell: false, leftAt: null, at: null, order: 0 };
  const releases = names.map((commitId) => ({ commitId, ...(journal.releases[commitId] ?? unknown) }));
  return releases.sort((a, b) => newestFirst({ ...a, at: a.at ?? 0 }, { ...b, at: b.at ?? 0 }));
}

/**
 * An agent holds its lock exclusively, so a shared lock is refused while it runs. If none runs, this holds the shared
 * lock for about a millisecond. Two such calls do not disturb each other, but an agent that tries to start in just that
 * moment is refused once.
 */
async function isTaken(file: string, clock: Clock): Promise<boolean | null> {
  const handle = await open(file, 'r').catch(nullIf('ENOENT'));
  if (handle === null) return false;
  try {
    const { kind } = await flock(handle.fd, { mode: 'shared', waitMs: 0, clock });
    return kind === 'locked' || kind === 'taken' ? kind === 'taken' : null;
  } finally {
    await handle.close();
  }
}
