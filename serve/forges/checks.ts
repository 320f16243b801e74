/** `red` is everything that has ended without success: failed, cancelled, skipped. */
export type CheckColour = 'green' | 'red' | 'pending';
export type Checks = ReadonlyMap<string, CheckColour>;

const WORST: readonly CheckColour[] = ['green', 'pending', 'red'];

/** Of several checks with one name the worst counts: a workflow may run for the push and for a merge request. */
export function mergeChecks(found: Iterable<readonly [name: string, colour: CheckColour]>): Checks {
  const checks = new Map<string, CheckColour>();
  for (const [name, colour] of found) {
    const before = checks.get(name);
    if (before === undefined || WORST.indexOf(colour) > WORST.indexOf(before)) checks.set(name, colour);
  }
  return checks;
}
