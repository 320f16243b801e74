import type { OutcomeParts } from '../../fleet/outcome.ts';
import type { TakenBack } from '../../publisher/brings-back.ts';
import type { Change } from '../../publisher/change.ts';
import { follow } from '../../publisher/follow.ts';
import { bringsBackLines, unknownLines } from '../../publisher/screens/contains-lines.ts';
import { attachWords, detachedLines, type Followed, publishedLines } from '../../publisher/screens/published-lines.ts';
import { signedWith } from '../../publisher/screens/signature-lines.ts';
import type { Ending } from '../../publisher/verdict.ts';
import { systemClock } from '../../runtime/clock.ts';
import type { PublishedOutput } from '../../schemas/json-output.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import type { CommitId } from '../../schemas/values.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { type Interrupt, takeInterrupt } from '../shell/interrupt.ts';
import { ignoreClosedOutput, say, sayJson, screenNow, usage, warn } from '../shell/terminal.ts';
import { type FleetTime, timeSince, timeToShow } from './fleet-time.ts';
import { showProgress } from './show-progress.ts';

/** The exit code of each ending of a wait for the fleet (docs/design.md, section 7). */
export const EXIT_OF: Record<Ending, number> = {
  converged: EXIT.converged,
  failed: EXIT.failed,
  'rolled-back': EXIT.rolledBack,
  halted: EXIT.failed,
  aborted: EXIT.failed,
  superseded: EXIT.conflict,
  'timed-out': EXIT.notConverged,
  'no-agents': EXIT.notConverged,
};

interface FollowOptions {
  readonly timeoutMs: number;
  readonly detach: boolean;
  readonly json: boolean;
  readonly by: string;
  /** The time for ages, if it was read already. */
  readonly time?: FleetTime;
}

export function followOptions(
  options: Readonly<Record<string, unknown>>,
  { publisher }: Settings,
  by: string,
): FollowOptions {
  if (options['wait'] && options['detach'])
    throw usage('--wait and --detach contradict each other', 'give one of them');
  return {
    timeoutMs: publisher.timeout,
    detach: options['detach'] === true,
    json: options['json'] === true,
    by,
  };
}

/** What a commit brings with it: commits that a rollback took away, and those for which that is not known. */
interface Contains {
  readonly bringsBack: readonly TakenBack[];
  /** Commits in quarantine. */
  readonly unknown: readonly CommitId[];
}

/** The first lines: what changes. */
export function sayPublished(
  followed: Followed,
  change: Change | null,
  json: boolean,
  { bringsBack, unknown }: Contains = { bringsBack: [], unknown: [] },
): void {
  const { record, targetVersion } = followed;
  const changed = change && { ...change, titles: [...change.titles] };
  const said = { published: record, targetVersion, change: changed, bringsBack: [...bringsBack] };
  if (json) {
    sayJson(said satisfies PublishedOutput);
    return;
  }
  const screen = screenNow(systemClock.now());
  const signed = signedWith(record.target.signature);
  say(
    ...publishedLines(followed, change, screen),
    ...(signed === '' ? [] : [`  ${signed}`]),
    ...bringsBackLines(record.target.commitId as CommitId, bringsBack, screen),
    ...unknownLines(unknown, screen),
  );
}

/**
 * Says what is followed and, unless detached, follows it to its end. Resolves to the exit code of what was observed.
 * @param first says what was published, or found again.
 * @param interrupt taken before the deployment was written, so that no Ctrl-C is lost in between.
 */
export async function followPublished(
  { session, znodes, access }: OutcomeParts,
  followed: Followed,
  options: FollowOptions,
  first: () => void = () => sayPublished(followed, null, options.json),
  interrupt: Interrupt = takeInterrupt(),
): Promise<number> {
  // The result is the exit code: a reader that goes away (`gitfleet publish | head -1`) does not change it.
  if (!options.detach) ignoreClosedOutput();
  first();
  if (options.detach) {
    if (!options.json) say(attachWords(followed.record));
    return EXIT.converged;
  }

  const { signal } = interrupt;
  let show: ReturnType<typeof showProgress> | null = null;
  const left = new Promise<null>((resolve) => {
    if (signal.aborted) resolve(null);
    else signal.addEventListener('abort', () => resolve(null));
  });
  try {
    const time = options.time ?? (await timeOfFollowed(session, znodes, followed));
    show = showProgress(followed, options.json, () => time.now());
    const parts = { session, znodes, access, clock: systemClock, by: options.by };
    const looks = follow(parts, followed, options.timeoutMs, signal);
    for (;;) {
      // A read may wait for a frozen server; Ctrl-C must not.
      const look = await Promise.race([left, looks.next()]);
      if (look === null || look.done) break;
      show.next(look.value);
      if (look.value.ending) return EXIT_OF[look.value.ending];
    }
  } finally {
    show?.close();
    interrupt.release();
  }
  warn(...detachedLines(followed));
  return EXIT.detached;
}

/** A deployment that was just published has the time itself; for one that was found again it is read. */
const timeOfFollowed = async (
  session: Session,
  znodes: Znodes,
  { again, targetVersion }: Followed,
): Promise<FleetTime> => (again ? await timeToShow(session, znodes) : timeSince(targetVersion));
