import { createHash } from 'node:crypto';
import type { Bundle, FetchOutcome, PassedOver, SignedCommit, Store } from '../../git/store.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { type BundleMember, MAX_BUNDLE_BYTES } from '../../schemas/records/bundle.ts';
import type { JudgedTarget } from '../../schemas/target.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { WantedTarget } from '../state/wanted.ts';

/** What a bundle may be used for: where the objects of a signed target come from, without the origin. */
export interface Bundles {
  /** Whether the objects of this target may come from a bundle: by the settings, and for an accepted signature only. */
  accepts(target: JudgedTarget): boolean;
  /**
   * Whether this agent asks the origin although others need not: it is in the canary, or the target names it. So a
   * commit that its repository does not have is noticed.
   */
  asksOrigin(wanted: WantedTarget): boolean;
  /** The bundle that the target names, with the right size and digest; otherwise why not. Never throws. */
  read(member: BundleMember): Promise<Bundle | NotRead>;
}

/** `absent`: there is none of that name. `unread`: ZooKeeper did not give it. `altered`: size or digest is another. */
export type NotRead = 'absent' | 'unread' | 'altered';

export const NO_BUNDLES: Bundles = { accepts: () => false, asksOrigin: () => false, read: async () => 'absent' };

interface BundleParts {
  readonly session: Pick<Session, 'get'>;
  /** Where the bundle with this digest is. */
  readonly path: (digest: string) => string;
  readonly agentId: string;
  /** The setting as it is now. */
  readonly objects: () => 'origin' | 'signed';
  /** Whether the rollout tries this target on this agent first. */
  readonly isCanary: (wanted: WantedTarget) => boolean;
  readonly log: Logger;
}

/** The fetch from the origin takes less than a longer wait. */
const READ_MS = 2_000;

export function createBundles({ session, path, agentId, objects, isCanary, log }: BundleParts): Bundles {
  const accepts = (target: JudgedTarget) => objects() === 'signed' && target.envelope !== null;
  return {
    accepts,
    asksOrigin(wanted) {
      const member = wanted.target.gitfleet?.bundle;
      if (member === undefined || !accepts(wanted.target)) return false;
      return member.asks === agentId || isCanary(wanted);
    },
    async read({ digest, base, size }) {
      try {
        const node = await session.get(path(digest), { deadlineMs: READ_MS });
        if (!node) return 'absent';
        const { data } = node;
        const isSame = data.length === size && size <= MAX_BUNDLE_BYTES && sha256(data) === digest;
        return isSame ? { base, pack: data } : 'altered';
      } catch (error) {
        log.info({ err: classify(error) }, 'the bundle cannot be read');
        return 'unread';
      }
    },
  };
}

const sha256 = (data: Buffer): string => createHash('sha256').update(data).digest('hex');

/** Where the objects of a commit came from. */
export interface Brought {
  readonly from: 'origin' | 'bundle' | 'store';
  /** Why a bundle that the target names was not used; null: it was, there is none, or this agent asks the origin. */
  readonly passedOver: PassedOver | NotRead | null;
}

interface BringParts {
  readonly store: Pick<Store, 'take'>;
  readonly bundles: Bundles;
}

/**
 * Brings the commit into the store: from its bundle where that is allowed, otherwise from the origin.
 * @param fetch asks the origin, in this agent's turn.
 */
export async function bring(
  parts: BringParts,
  wanted: WantedTarget,
  fetch: () => Promise<FetchOutcome>,
  signal: AbortSignal,
): Promise<Brought> {
  const passedOver = await fromBundle(parts, wanted, signal);
  if (passedOver === 'taken') return { from: 'bundle', passedOver: null };
  const { network } = await fetch();
  return { from: network ? 'origin' : 'store', passedOver };
}

async function fromBundle(
  { bundles, store }: BringParts,
  wanted: WantedTarget,
  signal: AbortSignal,
): Promise<'taken' | Brought['passedOver']> {
  const { target } = wanted;
  const member = target.gitfleet?.bundle;
  const signed = signedCommit(target);
  if (member === undefined || signed === null || !bundles.accepts(target) || bundles.asksOrigin(wanted)) return null;
  const found = await bundles.read(member);
  signal.throwIfAborted();
  if (typeof found === 'string') return found;
  try {
    return (await store.take(signed, found, signal)) ?? 'taken';
  } catch {
    signal.throwIfAborted();
    return 'store'; // The fetch that follows says what is wrong here.
  }
}

const signedCommit = ({ url, commitId }: JudgedTarget): SignedCommit | null => url && { url, commitId };
