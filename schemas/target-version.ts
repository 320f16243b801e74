import type { TargetVersion } from './values.ts';

/**
 * `<mzxid hex>.<mtime ms>` of the config znode: names one write of it, even if the same bytes are written again. After
 * a restored backup, the time distinguishes two writes with the same zxid.
 */
export function targetVersionOf(stat: { readonly mzxid: bigint; readonly mtime: number }): TargetVersion {
  return `${BigInt.asUintN(64, stat.mzxid).toString(16)}.${stat.mtime}` as TargetVersion;
}

/** Null for text that targetVersionOf never returns. */
export function parseTargetVersion(text: string): { mzxid: bigint; mtime: number } | null {
  const match = /^(0|[1-9a-f][0-9a-f]{0,15})\.(0|[1-9][0-9]{0,15})$/.exec(text);
  return match ? { mzxid: BigInt(`0x${match[1]}`), mtime: Number(match[2]) } : null;
}

export function isTargetVersion(text: string): text is TargetVersion {
  return parseTargetVersion(text) !== null;
}

/**
 * Negative if `a` was written before `b`, 0 for the same write. By the order of the ensemble's writes; by the time if
 * those are equal. Valid only within one incarnation of the ensemble (docs/design.md, section 3: TARGET_WENT_BACK).
 */
export function compareTargetVersions(a: TargetVersion, b: TargetVersion): number {
  const [one, other] = [parseTargetVersion(a), parseTargetVersion(b)];
  if (!one || !other) throw new TypeError('not a targetVersion');
  if (one.mzxid !== other.mzxid) return one.mzxid < other.mzxid ? -1 : 1;
  return Math.sign(one.mtime - other.mtime);
}

/**
 * Whether one write was made before the other, whatever the ensemble lost in between: by the order of writes and by the
 * time. A target that a person publishes after a loss has an earlier place in that order, but a later time.
 */
export function wasBefore(one: string, other: string): boolean {
  const [a, b] = [parseTargetVersion(one), parseTargetVersion(other)];
  return a !== null && b !== null && a.mzxid < b.mzxid && a.mtime <= b.mtime;
}
