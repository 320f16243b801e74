/**
 * Whose turn is it, and whom do I watch? The one question of everything that contends by sequential nodes (lock,
 * election, semaphore), answered from a list of names alone. Guarantee: of one list exactly one name is first, and
 * each other one watches exactly the name before it, so that one that leaves wakes one and not all. What breaks it:
 * the server's counter, which starts again when the parent is removed and made again.
 */
interface Turn {
  /** 0 for the one whose turn it is. */
  readonly position: number;
  /** The name right before ours, to be watched; undefined for the first. */
  readonly before: string | undefined;
}

/** Null when `own` is not among the names: its node is gone, and so is its claim. */
export function whoseTurn(names: readonly string[], own: string): Turn | null {
  const queue = inOrder(names, prefixOf(own));
  const position = queue.indexOf(own);
  return position < 0 ? null : { position, before: queue[position - 1] };
}

/** The names of one kind, in the order in which the server numbered them; what else lies there does not count. */
export function inOrder(names: readonly string[], prefix: string): string[] {
  const ours = names.filter((name) => prefixOf(name) === prefix && /-\d{10}$/.test(name));
  return ours.toSorted((a, b) => numberOf(a) - numberOf(b));
}

/** What stands before the first dash: the kind of a name, as in `lease-<id>-0000000012`. */
function prefixOf(name: string): string {
  return name.slice(0, name.indexOf('-') + 1);
}

function numberOf(name: string): number {
  return Number(name.slice(-10));
}
