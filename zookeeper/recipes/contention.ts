/**
 * Whose turn is it, and which node should a waiter watch? All recipes with sequential nodes (lock, election, semaphore)
 * need this, and it is decided from a list of names alone. Guarantee: in one list exactly one name is first, and each
 * other one watches exactly the name before it, so that a departure wakes one waiter and not all. What breaks it: the
 * server's counter, which starts again if the parent is removed and created again.
 */
interface Turn {
  /** 0 for the name whose turn it is. */
  readonly position: number;
  /** The name directly before ours, to watch; undefined for the first. */
  readonly before: string | undefined;
}

/** Null if `own` is not among the names: its node is gone, and its claim with it. */
export function whoseTurn(names: readonly string[], own: string): Turn | null {
  const queue = inOrder(names, prefixOf(own));
  const position = queue.indexOf(own);
  return position < 0 ? null : { position, before: queue[position - 1] };
}

/** The names with this prefix, in the order of the server's numbers; other names do not count. */
export function inOrder(names: readonly string[], prefix: string): string[] {
  const ours = names.filter((name) => prefixOf(name) === prefix && /-\d{10}$/.test(name));
  return ours.toSorted((a, b) => numberOf(a) - numberOf(b));
}

/** The part up to the first dash, which is the kind of a name, as in `lease-<id>-0000000012`. */
function prefixOf(name: string): string {
  return name.slice(0, name.indexOf('-') + 1);
}

function numberOf(name: string): number {
  return Number(name.slice(-10));
}
