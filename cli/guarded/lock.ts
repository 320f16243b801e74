import { systemClock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { parseDuration } from '../../schemas/duration.ts';
import { watchForDoubt } from '../../zookeeper/recipes/in-doubt.ts';
import { acquireLock } from '../../zookeeper/recipes/lock.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { usage } from '../shell/terminal.ts';
import { ensureParents, namedZnode, ownAcl } from './named-znode.ts';
import { runGuarded } from './run-guarded.ts';
import { forwardSignals, sayInDoubt } from './signals-of-command.ts';

/**
 * `gitfleet lock NAME [--wait 30s] -- CMD`: runs CMD while it holds the lock. The exit code is that of CMD; 75 if the
 * lock was in doubt and CMD was ended; 6 if the lock was not free in time.
 */
export async function run({ options, words }: Call): Promise<number> {
  const [name = '', ...argv] = words;
  const waitMs = options['wait'] === undefined ? null : parseDuration(String(options['wait']));
  if (options['wait'] !== undefined && waitMs === null) throw usage('--wait must be a duration', 'such as 30s or 5m');
  const settings = await readSettings(options);
  const path = namedZnode(name, '/locks', settings);
  const acl = await ownAcl(settings);
  const signals = forwardSignals();
  return await withSession(settings, async (session) => {
    const place = { path: await ensureParents(session, path, acl), acl, data: Buffer.from(`${process.pid}`) };
    const held = await acquireLock(session, { ...place, signal: giveUp(path, waitMs, signals.beforeCommand) });
    try {
      return await underLock(session, held, argv, signals);
    } finally {
      await held.release();
    }
  });
}

type Signals = ReturnType<typeof forwardSignals>;

async function underLock(
  session: Session,
  held: Awaited<ReturnType<typeof acquireLock>>,
  argv: readonly string[],
  signals: Signals,
): Promise<number> {
  const { timeoutMs } = await session.connected(signals.beforeCommand);
  const doubt = watchForDoubt(session, held, timeoutMs, systemClock);
  try {
    const exitCode = await runGuarded(argv, { fence: held.fence, doubt, signals: signals.toCommand });
    if (doubt.signal.aborted) sayInDoubt('the lock', doubt);
    return exitCode;
  } finally {
    doubt.close();
  }
}

function giveUp(path: string, waitMs: number | null, interrupted: AbortSignal): AbortSignal {
  if (waitMs === null) return interrupted;
  const late = new AbortController();
  const taken = FleetError.of('LOCK_TAKEN', `another program holds ${path}, also after ${waitMs} ms`);
  const cancel = systemClock.after(waitMs, () => late.abort(taken));
  interrupted.addEventListener('abort', cancel, { once: true });
  return AbortSignal.any([interrupted, late.signal]);
}
