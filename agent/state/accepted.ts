import { join } from 'node:path';
import * as z from 'zod';
import { writeDurably } from '../../runtime/durable-file.ts';
import { FleetError, type OwnFailure } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import { refuse } from '../../schemas/refusal.ts';
import { MAX_AHEAD_MS } from '../../schemas/signed/signed-target.ts';
import type { VerifiedEnvelope } from '../../schemas/target.ts';
import type { Journal } from './journal.ts';
import { isDone } from './progress.ts';

/**
 * Which signed targets an agent has accepted, in `<state>/apps/<app>/accepted.json`: the newest, and the good one, which
 * was accepted before it and ended well here. Who can write ZooKeeper, and has no key, moves the agent between these two
 * and nowhere else. It has a file of its own, so that an earlier version, which does not know it, does not drop it.
 *
 * What it does not do: say anything on a server that has accepted nothing yet, such as a new one. There the first signed
 * target is as good as any.
 */
const entry = z.object({
  /** SHA-256 of the signed bytes. */
  digest: z.string(),
  issuedAt: z.number(),
  commitId: z.string(),
  relativePath: z.string(),
});

const accepted = z.object({
  format: z.literal(1),
  /** `wellAt`: when it ended well here. */
  newest: entry.extend({ wellAt: z.number().nullable() }).nullable(),
  good: entry.nullable(),
  /** Which of the two was taken last. */
  current: z.enum(['newest', 'good']),
});
export type Accepted = z.infer<typeof accepted>;

export const NOTHING_ACCEPTED: Accepted = { format: 1, newest: null, good: null, current: 'newest' };

/** After this time well with the newest, there is no way back to the good one without a new signature. */
export const GOOD_FOR_MS = 24 * 60 * 60_000;

/** What is proved to be signed: whether it may be taken now, after what was taken before. Pure; null: it may. */
export function judgeOrder(memory: Accepted, envelope: VerifiedEnvelope, now: number): OwnFailure | null {
  const { newest, good, current } = memory;
  if (newest?.digest === envelope.digest) return null;
  if (good?.digest === envelope.digest) {
    const wellAt = newest?.wellAt ?? null;
    const stays = current === 'good' || wellAt === null || now - wellAt < GOOD_FOR_MS;
    return stays ? null : refuse('REPLAYED', `${signedAt(envelope)}; the newest has been well here for a day`).failure;
  }
  if (newest && envelope.issuedAt <= newest.issuedAt) {
    return refuse('REPLAYED', `${signedAt(envelope)}, not after the newest that was accepted (${at(newest.issuedAt)})`)
      .failure;
  }
  if (envelope.issuedAt > now + MAX_AHEAD_MS) {
    const reason = `${signedAt(envelope)}; the clock of this server says ${at(now)}`;
    return FleetError.of('CLOCK', reason).toFailure();
  }
  const { notAfter } = envelope;
  return notAfter !== undefined && notAfter < now
    ? refuse('EXPIRED', `it could be accepted until ${at(notAfter)}`).failure
    : null;
}

/** Taken, before anything of it is fetched. What is current and ended well becomes the good one. Same object: known. */
export function accept(
  memory: Accepted,
  envelope: VerifiedEnvelope,
  target: Pick<Entry, 'commitId' | 'relativePath'>,
): Accepted {
  const { newest, good, current } = memory;
  if (newest?.digest === envelope.digest) return current === 'newest' ? memory : { ...memory, current: 'newest' };
  if (good?.digest === envelope.digest) return current === 'good' ? memory : { ...memory, current: 'good' };
  const { commitId, relativePath } = target;
  const next = { digest: envelope.digest, issuedAt: envelope.issuedAt, commitId, relativePath, wellAt: null };
  return { format: 1, newest: next, good: endedWell(memory), current: 'newest' };
}

type Entry = z.infer<typeof entry>;

/** After a move back the good one is still what ended well last. */
function endedWell({ newest, good, current }: Accepted): Entry | null {
  if (current === 'good' || !newest || newest.wellAt === null) return good;
  const { wellAt: _, ...ended } = newest;
  return ended;
}

/**
 * How the newest ended here, by the journal: what ended well is something to return to, and what failed at its own
 * targetVersion, also after that, is not. Same object: nothing new.
 */
export function noteEnded(memory: Accepted, journal: Journal, now: number): Accepted {
  const { newest, current } = memory;
  const { progress, gaveUp } = journal;
  const isIt = newest?.commitId === progress?.commitId && newest?.relativePath === progress?.relativePath;
  if (!newest || !progress || !isIt || current !== 'newest') return memory;
  const failed = gaveUp?.targetVersion === progress.targetVersion && gaveUp.commitId === newest.commitId;
  if (failed) return newest.wellAt === null ? memory : { ...memory, newest: { ...newest, wellAt: null } };
  return isDone(journal) && newest.wellAt === null ? { ...memory, newest: { ...newest, wellAt: now } } : memory;
}

const signedAt = ({ issuedAt, signer }: VerifiedEnvelope): string => `signed by ${signer} at ${at(issuedAt)}`;
const at = (ms: number): string => new Date(Math.min(ms, 8.64e15)).toISOString();

const FILE = 'accepted.json';
const MAX_BYTES = 64 * 1024;

/** The memory of a running agent. */
export interface AcceptedMemory {
  readonly accepted: () => Accepted;
  /** On the disk before it resolves; a change to the same object writes nothing. */
  readonly rememberAccepted: (change: (memory: Accepted) => Accepted) => Promise<void>;
}

/** @throws FleetError JOURNAL_UNREADABLE: without its memory an agent would take an old target for a new one. */
export async function openAccepted(appState: string): Promise<AcceptedMemory> {
  const file = join(appState, FILE);
  let memory = await readAccepted(file);
  return {
    accepted: () => memory,
    async rememberAccepted(change) {
      const next = change(memory);
      if (next === memory) return;
      await writeDurably(file, `${JSON.stringify(next)}\n`);
      memory = next;
    },
  };
}

async function readAccepted(file: string): Promise<Accepted> {
  try {
    const text = await readIfThere(file, MAX_BYTES);
    return text === null ? NOTHING_ACCEPTED : accepted.parse(JSON.parse(text));
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code !== undefined && code !== 'EFTYPE' && code !== 'EFBIG') throw cause;
    const reason = `${file} is not a file that this version can read`;
    throw FleetError.of('JOURNAL_UNREADABLE', reason, HINT, cause);
  }
}

const HINT =
  'after a downgrade, use the newer agent again; otherwise remove the file: this server then takes the next signed target';
