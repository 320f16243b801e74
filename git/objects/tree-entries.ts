import { gitError } from '../run/errors.ts';

/** One side of an entry: the mode as git spells it; 000000 and no id where there is nothing. */
export interface DiffSide {
  readonly mode: string;
  readonly id: string;
}

/** By the bytes of their names, as latin1: two names that are no UTF-8 must not become one. */
type Entries = ReadonlyMap<string, DiffSide>;

/**
 * Pure: the entries of two trees from the first that differs to the last one, without those that both begin and end
 * with. Of a directory of hundreds hardly more than one file changes, and to read an entry takes longer than to compare
 * it.
 * @throws FleetError STORE_BROKEN where a tree is cut short.
 */
export function entriesThatDiffer(a: Buffer, b: Buffer, idBytes: number): readonly [old: Entries, young: Entries] {
  const found = [new Map<string, DiffSide>(), new Map<string, DiffSide>()] as const;
  const most = Math.min(a.length, b.length);
  const head = sameBytes(most, (from, to) => a.compare(b, from, to, from, to) === 0);
  const tail = sameBytes(
    most,
    (from, to) => a.compare(b, b.length - to, b.length - from, a.length - to, a.length - from) === 0,
  );
  let i = 0;
  while (i < a.length) {
    const next = endOf(a, i, idBytes);
    if (next > head) break;
    i = next;
  }
  let j = i;
  while (i < a.length || j < b.length) {
    const [restA, restB] = [a.length - i, b.length - j];
    if (restA === restB && restA <= tail) break;
    if (restA >= restB) i = take(a, i, idBytes, found[0]);
    if (restB >= restA) j = take(b, j, idBytes, found[1]);
  }
  return found;
}

/** `<mode> <name>\0<id in bytes>`, again and again. */
function take(tree: Buffer, at: number, idBytes: number, into: Map<string, DiffSide>): number {
  const next = endOf(tree, at, idBytes);
  const head = tree.toString('latin1', at, next - idBytes - 1);
  const blank = head.indexOf(' ');
  // Old histories have modes with zeros in front; git reads them as the same modes.
  into.set(head.slice(blank + 1), {
    mode: head.slice(0, blank).replace(/^0+/, ''),
    id: tree.toString('hex', next - idBytes, next),
  });
  return next;
}

function endOf(tree: Buffer, at: number, idBytes: number): number {
  const zero = tree.indexOf(0, at);
  const next = zero + 1 + idBytes;
  if (zero >= 0 && next <= tree.length) return next;
  throw gitError('STORE_BROKEN', 'a tree object is cut short', 'git fsck in the repository names it');
}

/** How many bytes are alike from one end on; compared in halves, since a loop over bytes takes longer. */
function sameBytes(most: number, alike: (from: number, to: number) => boolean): number {
  let same = 0;
  for (let step = FIRST_STEP; step >= 1; step >>= 1) {
    while (same + step <= most && alike(same, same + step)) same += step;
  }
  return same;
}

const FIRST_STEP = 4_096;
