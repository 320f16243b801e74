import type { Settings } from '../../schemas/settings/settings.ts';
import type { AuthEntry, TlsMaterial } from '../../zookeeper/open-session.ts';
import { coordinatorAccess, renewedAccess, type SessionAccess } from '../shell/session-access.ts';

/** What a session of this agent shows the servers, and the settings that it comes from. */
interface Shown {
  readonly auth: readonly AuthEntry[];
  readonly tls: TlsMaterial | undefined;
  readonly by: Readonly<Record<string, string>>;
}

export interface CredentialFiles {
  readonly shown: Shown;
  /** Whether the agent is a candidate for the election. */
  readonly stands: boolean;
  /** Reads the files again, for a new connection. @throws FleetError SETTINGS */
  renew(): Promise<Shown>;
  /** The settings whose files have changed since they were last read. @throws FleetError SETTINGS */
  changed(): Promise<string[]>;
}

/**
 * The contents of the files that identify this agent to ZooKeeper: zookeeper.authFile, zookeeper.tls and
 * coordinator.authFile, with the agent's own credential between them. Each new connection reads them again, unless one
 * is not a regular file. The choice of access rights and of the candidacy does not follow a change: it needs a restart.
 */
export async function openCredentialFiles(
  settings: Settings,
  mine: SessionAccess,
  own: AuthEntry,
): Promise<CredentialFiles> {
  const { stands, shown } = await read(settings, mine, own);
  let known: Shown = shown;
  async function again(): Promise<Shown> {
    const next = await renewedAccess(settings, mine);
    return next === mine ? shown : (await read(settings, next, own)).shown;
  }
  return {
    shown,
    stands,
    async renew() {
      known = await again();
      return known;
    },
    async changed() {
      const before = known.by;
      known = await again();
      return Object.keys(known.by).filter((name) => known.by[name] !== before[name]);
    },
  };
}

async function read(settings: Settings, mine: SessionAccess, own: AuthEntry) {
  const { auth = [], tls } = mine.session;
  const leading = await coordinatorAccess(settings, mine);
  const by: Shown['by'] = {
    'zookeeper.authFile': JSON.stringify(auth),
    'zookeeper.tls': JSON.stringify(tls ?? null),
    'coordinator.authFile': JSON.stringify(leading.auth),
  };
  return { stands: leading.stands, shown: { auth: [...auth, own, ...leading.auth], tls, by } };
}
