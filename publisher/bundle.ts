import { createHash } from 'node:crypto';
import type { Access } from '../fleet/access.ts';
import type { SharedState } from '../fleet/shared-state.ts';
import type { Clock, Random } from '../runtime/clock.ts';
import { BUNDLES_KEPT, type BundleMember, bundleLimit, MAX_BUNDLE_BYTES } from '../schemas/records/bundle.ts';
import type { Target } from '../schemas/target.ts';
import type { CommitId } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import { type AclEntry, ANY_VERSION, type Session } from '../zookeeper/session.ts';

export interface BundlerParts {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
  readonly clock: Clock;
  readonly random: Random;
  /** The pack of the publisher's own repository; null: it cannot make one of at most that many bytes. */
  readonly make: (base: CommitId, commitId: CommitId, maxBytes: number, signal: AbortSignal) => Promise<Buffer | null>;
  /** Whether what is written to ZooKeeper is encrypted on the way, or need not be. */
  readonly isPrivate: boolean;
}

/** Why there is no bundle although the settings ask for one, and a person has to act. */
export type NoBundle = 'open' | 'clear' | 'not set up';

export interface Bundled {
  /** Undefined: none. Agents ask the origin, as ever. */
  readonly member?: BundleMember | undefined;
  readonly refused?: NoBundle | undefined;
}

/** What a bundle may cost a publish. */
export const BUNDLE_MS = 200;

/**
 * Puts what the target's commit has and the current one lacks into ZooKeeper, for agents with `objects: signed`. Never
 * throws, and takes at most BUNDLE_MS: whatever goes wrong, the target is published without it.
 *
 * There is none where nothing is published yet, where fewer than two agents are online, for a change that is too large
 * for the fleet, and where the repository of the publisher lacks one of the two commits. What a slow ZooKeeper makes
 * after that time is named by no target, and removed by a later publish.
 */
export async function bundleFor(
  parts: BundlerParts,
  since: SharedState,
  { commitId }: Pick<Target, 'commitId'>,
): Promise<Bundled> {
  const base = since.config.target?.commitId;
  if (base === undefined || base === commitId) return {};
  if (isReadByAll(parts.access.of('bundle'))) return { refused: 'open' };
  if (!parts.isPrivate) return { refused: 'clear' };
  const late = new AbortController();
  const cancel = parts.clock.after(BUNDLE_MS, () => late.abort(new Error('the bundle takes too long')));
  try {
    return await Promise.race([put(parts, base, commitId, late.signal), whenAborted(late.signal)]);
  } catch (error) {
    return isCode(error, 'NO_NODE') || isCode(error, 'NO_AUTH') ? { refused: 'not set up' } : {};
  } finally {
    cancel();
    late.abort(new Error('the answer is there')); // If ZooKeeper refused, git still packs.
  }
}

async function put(parts: BundlerParts, base: CommitId, commitId: CommitId, signal: AbortSignal): Promise<Bundled> {
  const { session, znodes, access } = parts;
  const [rights, online, before, pack] = await Promise.all([
    session.getAcl(znodes.objects),
    session.children(znodes.online),
    session.children(znodes.objects),
    parts.make(base, commitId, MAX_BUNDLE_BYTES, signal),
  ]);
  if (rights === null) return { refused: 'not set up' };
  if (isReadByAll(rights.acl)) return { refused: 'open' };
  const agents = (online ?? []).filter((name) => !name.includes('~'));
  if (agents.length < 2 || pack === null || pack.length > bundleLimit(agents.length)) return {};
  signal.throwIfAborted();
  const digest = createHash('sha256').update(pack).digest('hex');
  const others = (before ?? []).filter((name) => name !== digest);
  await Promise.all([
    session.create(znodes.bundle(digest), pack, 'persistent', { acl: access.of('bundle') }).catch(there),
    removeOld(parts, others),
  ]);
  const asks = agents[Math.floor(parts.random() * agents.length)];
  return { member: { digest, base, size: pack.length, asks } };
}

const isReadByAll = (acl: readonly AclEntry[]): boolean => acl.some(({ scheme }) => scheme === 'world');

/** Its name says its content; where that is not true, agents pass it over. */
function there(error: unknown): void {
  if (!isCode(error, 'NODE_EXISTS')) throw error;
}

/** All but the newest, besides the one that was just made. Another publisher may remove the same ones. */
async function removeOld({ session, znodes }: BundlerParts, names: readonly string[]): Promise<void> {
  if (names.length < BUNDLES_KEPT) return;
  const stats = await Promise.all(
    names.map(async (name) => ({ name, stat: await session.exists(znodes.bundle(name)) })),
  );
  const made = ({ stat }: (typeof stats)[number]) => stat?.czxid ?? 0n;
  const old = stats.toSorted((a, b) => (made(a) < made(b) ? 1 : -1)).slice(BUNDLES_KEPT - 1);
  await Promise.allSettled(old.map(({ name }) => session.remove(znodes.bundle(name), ANY_VERSION)));
}

const whenAborted = (signal: AbortSignal): Promise<never> =>
  new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true }));

/** Publishes without it, and says so: the settings ask for what this app does not allow. */
export const noBundleWords = (refused: NoBundle): string =>
  ({
    open: 'no bundle: everyone may read this app (init --open); agents fetch from the repository',
    clear:
      'no bundle: the connection to ZooKeeper is not encrypted; set zookeeper.tls, or publisher.bundleInClear: true',
    'not set up': 'no bundle: the app has no place for it yet; run gitfleet init again with the same credentials',
  })[refused];
