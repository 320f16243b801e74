import { gitError } from '../run/errors.ts';

/**
 * One side of a changed entry: the mode as git writes it; mode 000000 and an empty id if there is nothing on this side.
 */
export interface DiffSide {
  readonly mode: string;
  readonly id: string;
}

/** Keyed by the bytes of the name, as latin1: two names that are not UTF-8 must not become one. */
type Entries = ReadonlyMap<string, DiffSide>;

/**
 * Pure: the entries of two trees from the first to the last that differs; the common beginning and end are left out.
 * Hardly more than one file changes in a directory of hundreds, and parsing an entry takes longer than comparing it.
 * @throws FleetError STORE_BROKEN if a tree is cut short.
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

/** Reads one entry: `<mode> <name>\0<id in bytes>`. @returns where the next one begins. */
function take(tree: Buffer, at: number, idBytes: number, into: Map<string, DiffSide>): number {
  const next = endOf(tree, at, idBytes);
  const head = tree.toString('latin1', at, next - idBytes - 1);
  const blank = head.indexOf(' ');
  // Old histories have modes with leading zeros; git reads them as the same modes.
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

/**
 * How many bytes are equal, counted from one end. Compares blocks of halving size, which is faster than byte by byte.
 */
function sameBytes(most: number, alike: (from: number, to: number) => boolean): number {
  let same = 0;
  for (let step = FIRST_STEP; step >= 1; step >>= 1) {
    while (same + step <= most && alike(same, same + step)) same += step;
  }
  return same;
}

const FIRST_STEP = 4_096;
