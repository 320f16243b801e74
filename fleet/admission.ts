import { FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import { type Brake, type Hold, inForce, type Quarantined } from '../schemas/hold.ts';
import { formatInstant } from '../schemas/text/instant.ts';

/** Refuses while a hold is in force; an unreadable hold counts as one. @throws FleetError HOLD */
export function checkHold(brake: Brake<Hold | null>, now: number): void {
  const held = heldNow(brake, now);
  if (held) throw holdRefusal(held);
}

/** The hold in force at `now`. @throws FleetError HOLD if the znode cannot be read. */
export function heldNow({ value, unreadable }: Brake<Hold | null>, now: number): Hold | null {
  if (unreadable === null) return inForce(value, now);
  throw FleetError.of('HOLD', `${unreadable}, which counts as a hold`, 'an operator empties it with: gitfleet unhold');
}

export function holdRefusal(held: Hold): FleetError {
  const by = visible(held.by, 100);
  return FleetError.of('HOLD', holdWords(held), `ask ${by}; an operator ends it with: gitfleet unhold`);
}

/** `ann holds publishing since ... until ...: why`. */
export function holdWords({ by, reason, at, end }: Hold): string {
  const until = end === null ? 'until gitfleet unhold' : `until ${formatInstant(end)}`;
  return `${visible(by, 100)} holds publishing since ${formatInstant(at)} ${until}: ${visible(reason, 300)}`;
}

/** The same for a hold that has ended: `ann held publishing since ...: why`. */
export const endedHoldWords = ({ by, reason, at }: Hold): string =>
  `${visible(by, 100)} held publishing since ${formatInstant(at)}: ${visible(reason, 300)}`;

/**
 * Refuses a commit in quarantine, and a commit that contains one, until a person says that it is fixed there. (Agents
 * refuse only the quarantined commit itself, because their stores have no history.)
 * @param contained the commits in quarantine that are known to be ancestors of this one.
 * @throws FleetError QUARANTINED
 */
export function checkQuarantine(
  brake: Brake<readonly Quarantined[]>,
  commitId: string,
  contained: readonly string[] = [],
): void {
  const commits = quarantinedIn(brake);
  const entry = commits.find((commit) => commit.commitId === commitId);
  const short = commitId.slice(0, 12);
  const inside = commits.find((commit) => contained.includes(commit.commitId));
  if (!entry && inside) throw containsRefusal(short, inside);
  if (!entry) return;
  throw FleetError.of(
    'QUARANTINED',
    quarantineWords(entry),
    `publish another commit; or lift it: gitfleet unquarantine ${short}; or publish it all the same: gitfleet publish ${short} --force -m WHY`,
  );
}

const containsRefusal = (short: string, inside: Quarantined): FleetError =>
  FleetError.of(
    'QUARANTINED',
    `${short} contains a commit in quarantine: ${quarantineWords(inside)}`,
    `where it is fixed: gitfleet publish ${short} --force -m WHY (or the next push: git push -o gitfleet.force=WHY); or lift it: gitfleet unquarantine ${inside.commitId.slice(0, 12)}`,
  );

/** @throws FleetError QUARANTINED if the znode contains anything but a list of commits. */
export function quarantinedIn({ value, unreadable }: Brake<readonly Quarantined[]>): readonly Quarantined[] {
  if (unreadable === null) return value;
  throw FleetError.of(
    'QUARANTINED',
    `${unreadable}, so every commit counts as quarantined`,
    'look at it with a ZooKeeper client; empty, or a list of ours, makes it readable again',
  );
}

/** `9dbcdf1ee3ab is in quarantine since ... (bob): why`. */
export const quarantineWords = ({ commitId, by, at, reason }: Quarantined, verb = 'is'): string =>
  `${commitId.slice(0, 12)} ${verb} in quarantine since ${formatInstant(at)} (${visible(by, 100)}): ${visible(reason, 300)}`;
