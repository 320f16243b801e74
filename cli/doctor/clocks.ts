import { randomUUID } from 'node:crypto';
import { age } from '../../publisher/screens/words.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { parseConnectString } from '../../zookeeper/connect-string.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { type EnsembleTime, readEnsembleTime, timeOf } from '../../zookeeper/recipes/ensemble-time.ts';
import { ANY_VERSION, type Session } from '../../zookeeper/session.ts';
import type { SessionAccess } from '../shell/session-access.ts';
import { type Finding, ok, warning } from './finding.ts';

/** People notice differences between clocks from about here: in dates, in logs, in the time of a hold. */
const MAX_SKEW_MS = 5_000;

type Skew = Pick<EnsembleTime, 'skewMs' | 'uncertaintyMs'>;

/**
 * Compares this machine's clock with the one of the ensemble, by which gitfleet goes. It does not say which of the two
 * is right, nor whether a time service runs. Publishers, agents and the operator may ask for the time; for others a
 * short-lived ephemeral node shows it.
 */
export async function checkClocks(
  session: Session,
  paths: Znodes,
  allowed: SessionAccess,
  connect: string,
): Promise<Finding> {
  try {
    return clockFinding(await readEnsembleTime(session, paths.clock, clock), connect);
  } catch (error) {
    if (!isCode(error, 'NO_AUTH', 'NO_NODE')) throw error;
  }
  try {
    return clockFinding(await skewByNode(session, paths, allowed), connect);
  } catch (error) {
    if (!isCode(error, 'NO_AUTH', 'NO_NODE')) throw error;
    return notCompared('this credential may write nothing', 'run it with the credential of an agent or the operator');
  }
}

export const notCompared = (why: string, hint: string): Finding =>
  warning('clock', `not compared with ZooKeeper's: ${why}`, hint);

/** Pure. What is less than the uncertainty of the measurement is no difference. */
export function clockFinding({ skewMs, uncertaintyMs }: Skew, connect: string): Finding {
  const surely = Math.max(0, Math.abs(skewMs) - uncertaintyMs);
  const exact = uncertaintyMs < 1_000 ? '' : ` (known to ${age(uncertaintyMs)})`;
  if (surely > MAX_SKEW_MS) {
    const says = `this machine's clock is ${age(Math.abs(skewMs))} ${skewMs > 0 ? 'ahead of' : 'behind'} ZooKeeper's${exact}`;
    return warning('clock', says, 'run chrony or systemd-timesyncd on this machine and on the ZooKeeper servers');
  }
  const same = isLoopback(connect) ? '; at a loopback address, that may be the same clock' : '';
  return ok('clock', `${age(surely)} apart from ZooKeeper's${exact}${same}`);
}

const isLoopback = (connect: string): boolean =>
  parseConnectString(connect).hosts.every(({ host }) => /^(localhost|127\..*|::1)$/.test(host));

async function skewByNode(session: Session, paths: Znodes, { access }: SessionAccess): Promise<Skew> {
  const path = `${paths.fetch}/doctor-${randomUUID()}`;
  const [asked, askedWall] = [clock.monotonic(), clock.now()];
  await session.create(path, Buffer.alloc(0), 'ephemeral', { acl: access.of('lease') });
  const answered = clock.monotonic();
  const stat = await session.exists(path);
  await session.remove(path, ANY_VERSION);
  return timeOf({ mtime: stat?.ctime ?? askedWall, asked, askedWall, answered }, clock);
}
