import { FleetError } from '../runtime/errors.ts';
import { type Deployment, parseDeployment } from '../schemas/deployment.ts';
import { targetVersionOf } from '../schemas/target.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { CallOptions, NodeData, Session } from '../zookeeper/session.ts';

/** One znode as it was read: what a transaction that was planned from it has to name. */
export interface Versioned {
  readonly version: number;
  readonly data: Buffer;
}

/** What a publisher reads before it plans its transaction: a picture whose every part carries its version. */
export interface SharedState {
  readonly config: Versioned & {
    readonly targetVersion: TargetVersion;
    readonly mzxid: bigint;
    readonly mtime: number;
  };
  readonly hold: Versioned;
  readonly quarantine: Versioned;
  readonly deployments: Versioned & { readonly last: number };
  /** The record of the last number; null where there is none yet or retention took it. */
  readonly lastRecord: (Deployment & { readonly czxid: bigint; readonly version: number }) | null;
}

/**
 * Reads the shared state of an app. The parts are read one after another's back, so they may be of different moments:
 * that is harmless, since whoever writes names every version.
 * @throws FleetError APP_MISSING where `gitfleet init` was not run on this ZooKeeper.
 */
export async function readSharedState(session: Session, znodes: Znodes, options?: CallOptions): Promise<SharedState> {
  const [config, hold, quarantine, deployments] = await Promise.all(
    [znodes.config, znodes.hold, znodes.quarantine, znodes.deployments].map((path) => session.get(path, options)),
  );
  if (!config || !hold || !quarantine || !deployments) throw appMissing(znodes.app);
  const last = lastNumber(deployments);
  const record = last > 0 ? await session.get(znodes.deployment(last), options) : null;
  const parsed = record && parseDeployment(record.data);
  return {
    config: {
      version: config.stat.version,
      data: config.data,
      targetVersion: targetVersionOf(config.stat),
      mzxid: config.stat.mzxid,
      mtime: config.stat.mtime,
    },
    hold: { version: hold.stat.version, data: hold.data },
    quarantine: { version: quarantine.stat.version, data: quarantine.data },
    deployments: { version: deployments.stat.version, data: deployments.data, last },
    lastRecord: record && parsed ? { ...parsed, czxid: record.stat.czxid, version: record.stat.version } : null,
  };
}

export function appMissing(app: string): FleetError {
  return FleetError.of(
    'APP_MISSING',
    `${app} is not set up on this ZooKeeper`,
    `run once: gitfleet init --app ${app} (check --zookeeper, a chroot included)`,
  );
}

/**
 * A target's record is the one whose czxid is config's mzxid (our transaction wrote both), or the one that adopts its
 * targetVersion. Members inside the target prove nothing: a foreign writer may have copied them.
 */
export function isRecorded(state: SharedState): boolean {
  const record = state.lastRecord;
  if (!record) return false;
  return record.adopts === null ? record.czxid === state.config.mzxid : record.adopts === state.config.targetVersion;
}

function lastNumber(node: NodeData): number {
  const text = node.data.toString('utf8').trim();
  const last = text === '' ? 0 : Number(text);
  if (Number.isSafeInteger(last) && last >= 0) return last;
  throw FleetError.of(
    'DEPLOYMENTS_UNREADABLE',
    `the deployments znode holds ${JSON.stringify(text.slice(0, 40))} instead of the last number`,
  );
}
