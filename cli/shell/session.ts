import type { Access } from '../../fleet/access.ts';
import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { visible } from '../../runtime/safe-text.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { type AuthEntry, openSession } from '../../zookeeper/open-session.ts';
import type { Session } from '../../zookeeper/session.ts';
import { explainRefusal } from './access.ts';
import { namingNearApp } from './near-app.ts';
import { type SessionAccess, sessionAccess } from './session-access.ts';
import { warn } from './terminal.ts';

/** How long a person or a hook waits for a quorum before giving up (docs/design.md, section 7). */
const QUORUM_MS = 30_000;

/**
 * If nothing listens on the port of any server, waiting longer is of no use to a person. Not for the short wait of a
 * hook, which may just span a restart.
 */
const NO_LISTENER_MS = 4_000;
const LOOK_MS = 250;

/** A command is one of few clients, so it may retry soon. */
const BACKOFF = { firstMs: 100, maxMs: 1_000 };

/** After this time without an answer, the command says what it is waiting for. */
export const SILENT_MS = 2_000;

/**
 * Opens a session for one command and closes it in every case.
 * @param own credentials in addition to those of the settings.
 * @throws FleetError UNREACHABLE
 */
export async function withSession<T>(
  settings: Settings,
  work: (session: Session, access: Access) => Promise<T>,
  waitMs = QUORUM_MS,
  own: readonly AuthEntry[] = [],
): Promise<T> {
  const allowed = withOwn(await sessionAccess(settings), own);
  const session = openSession({
    connect: settings.zookeeper.connect,
    ...allowed.session,
    backoff: BACKOFF,
    clock: systemClock,
    random: systemRandom,
    log: createLog({ level: 'silent' }),
  });
  try {
    await connectedWithin(session, settings.zookeeper.connect, waitMs);
    return await work(session, allowed.access);
  } catch (error) {
    throw explainRefusal(await namingNearApp(error, session, settings.app), settings, allowed);
  } finally {
    await session.close();
  }
}

/** Adds them to those of the files, also when these are read again. */
function withOwn(allowed: SessionAccess, own: readonly AuthEntry[]): SessionAccess {
  const { auth = [], renewCredentials } = allowed.session;
  const renewed = renewCredentials && {
    renewCredentials: async () => {
      const next = await renewCredentials();
      return { ...next, auth: [...next.auth, ...own] };
    },
  };
  return own.length === 0
    ? allowed
    : { ...allowed, session: { ...allowed.session, auth: [...auth, ...own], ...renewed } };
}

async function connectedWithin(session: Session, connect: string, waitMs: number): Promise<void> {
  const given = new AbortController();
  const cancel = systemClock.after(waitMs, () => given.abort(unreachable(session, connect, waitMs)));
  const patient = waitMs < 2 * NO_LISTENER_MS;
  const stopLooking = patient ? () => {} : whenNothingListens(session, () => given.abort(noListener(session, connect)));
  const left = Math.round((waitMs - SILENT_MS) / 1_000);
  const quiet = systemClock.after(SILENT_MS, () => {
    if (left <= 0) return;
    const soon = !patient && session.vitals().roundsWithoutListener > 0;
    const end = soon ? 'giving up soon' : `giving up in ${left} s`;
    warn(`no answer from ${connect} yet${because(session)}; ${end}`);
  });
  try {
    await session.connected(given.signal);
  } finally {
    cancel();
    quiet();
    stopLooking();
  }
}

/** Calls `action` once every server has refused the connection in two rounds, and a while has passed. */
function whenNothingListens(session: Session, action: () => void): () => void {
  let cancel = systemClock.after(NO_LISTENER_MS, look);
  function look(): void {
    if (session.vitals().roundsWithoutListener >= 2) action();
    else cancel = systemClock.after(LOOK_MS, look);
  }
  return () => cancel();
}

/** A refused port, a wrong name and a silent host have three different remedies. */
function because(session: Session): string {
  const { trouble } = session.vitals();
  return trouble === null ? '' : `: ${visible(trouble, 300)}`;
}

const unreachable = (session: Session, connect: string, waitMs: number): FleetError =>
  FleetError.of(
    'UNREACHABLE',
    `no ZooKeeper of ${connect} answered within ${Math.round(waitMs / 1_000)} s${because(session)}`,
    `see who does: gitfleet zk status -z ${connect}`,
  );

const noListener = (session: Session, connect: string): FleetError =>
  FleetError.of(
    'UNREACHABLE',
    `no ZooKeeper listens at ${connect}${because(session)}`,
    `check host and port, then start the servers; see who answers: gitfleet zk status -z ${connect}`,
  );
