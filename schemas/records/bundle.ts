import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { isCommitId } from '../commit-id.ts';
import type { CommitId } from '../values.ts';

/**
 * Where the objects of a target are, besides its repository: `objects/<digest>`, a thin pack of what the commit has and
 * `base` lacks. It is no part of what is signed: the signed commit id proves the objects.
 */
export interface BundleMember {
  /** SHA-256 of the pack. */
  readonly digest: string;
  readonly base: CommitId;
  /** Bytes of the pack. */
  readonly size: number;
  /** The agent that asks the origin all the same, so that one of the fleet does. */
  readonly asks?: string | undefined;
}

/** ZooKeeper keeps every node in memory, and its limit for one is 1 MiB. */
export const MAX_BUNDLE_BYTES = 256 * 1024;

/** What all agents together read of one bundle: half a second of a ZooKeeper server's output. */
const MAX_FLEET_BYTES = 16 * 1024 ** 2;

/** How many are kept: agents may still read the one before. */
export const BUNDLES_KEPT = 3;

/** How large a bundle may be if so many agents are online. */
export const bundleLimit = (online: number): number =>
  Math.min(MAX_BUNDLE_BYTES, Math.floor(MAX_FLEET_BYTES / Math.max(1, online)));

const shape = once(() =>
  z.object({
    digest: z.string().regex(/^[0-9a-f]{64}$/),
    base: z.string().refine(isCommitId),
    size: z.int().min(1).max(MAX_BUNDLE_BYTES),
    asks: z.string().max(200).optional(),
  }),
);

/** Undefined for anything else: then the origin is asked, as without a bundle. */
export function parseBundle(value: unknown): BundleMember | undefined {
  const read = shape().safeParse(value);
  return read.success ? { ...read.data, base: read.data.base as CommitId } : undefined;
}
