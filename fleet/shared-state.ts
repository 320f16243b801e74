import { type Failure, FleetError } from '../runtime/errors.ts';
import { visible } from '../runtime/safe-text.ts';
import type { Deployment } from '../schemas/deployment.ts';
import { type Brake, type Hold, parseHold, parseQuarantine, type Quarantined } from '../schemas/hold.ts';
import type { Before } from '../schemas/records/chain.ts';
import { parseRollout, type Rollout } from '../schemas/rollout.ts';
import { ANY_URL, membersOf, parseTarget, type Target, targetVersionOf } from '../schemas/target.ts';
import type { TargetVersion } from '../schemas/values.ts';
import type { Znodes } from '../schemas/znodes.ts';
import type { CallOptions, NodeStat, Session } from '../zookeeper/session.ts';
import { numbersIn } from './numbered.ts';
import { contentOf, type FoundNode, type FoundVersion, findRecord, joinRecord, versionOf } from './record-node.ts';

/** The version that a transaction planned from this znode must name. */
export interface Versioned {
  readonly version: number;
}

/** The content of config: a target, or why it is none. Both are null if nothing was published yet. */
export interface ConfigContent {
  readonly target: Target | null;
  readonly refused: Failure | null;
}

export interface LastDeployment {
  /** The last number; if the znode contains none, that of the newest record. */
  readonly last: number;
  /** Why the znode contains no number; null if it does. Reading continues; numbering is refused. */
  readonly unreadable: string | null;
  /** The bytes of its record, which the next record is chained to. */
  readonly before: Before;
}

/**
 * The shared state that a publisher reads before it plans its transaction: each part is parsed here, once, and has its
 * version. No other code parses these znodes again.
 */
export interface SharedState {
  readonly config: Versioned &
    ConfigContent & {
      readonly targetVersion: TargetVersion;
      readonly mzxid: bigint;
      readonly mtime: number;
    };
  readonly hold: Versioned & Brake<Hold | null>;
  readonly quarantine: Versioned & Brake<readonly Quarantined[]>;
  readonly deployments: Versioned & LastDeployment;
  /** The record with the last number; null if there is none yet, or it is missing or unreadable. */
  readonly lastRecord: Deployment | null;
  /** The version of the outcome node with the last number; null: there is none. */
  readonly lastOutcome: FoundVersion;
  /** The record of the target in config; null: another ZooKeeper client set it, and it has no record yet. */
  readonly current: Deployment | null;
}

/**
 * Reads the shared state of an app. The parts are read in parallel and may be from different moments. That is harmless,
 * because every write names all versions that it was planned from.
 * @throws FleetError APP_MISSING if `gitfleet init` was not run on this ZooKeeper.
 */
export async function readSharedState(session: Session, znodes: Znodes, options?: CallOptions): Promise<SharedState> {
  const [config, hold, quarantine, deployments] = await Promise.all(
    [znodes.config, znodes.hold, znodes.quarantine, znodes.deployments].map((path) => session.get(path, options)),
  );
  if (!config || !hold || !quarantine || !deployments) throw appMissing(znodes.app);
  const counter = parseCounter(deployments.data);
  const last = counter.value ?? (await numbersIn(session, znodes.deployments, 'd', options))[0] ?? 0;
  const nodes = last > 0 ? await findRecord(session, znodes, last, options) : null;
  const node = nodes && contentOf(nodes.record);
  const record = nodes && joinRecord(last, nodes);
  const targetVersion = targetVersionOf(config.stat);
  return {
    config: {
      version: config.stat.version,
      ...parseConfig(config.data),
      targetVersion,
      mzxid: config.stat.mzxid,
      mtime: config.stat.mtime,
    },
    hold: { version: hold.stat.version, ...parseHold(hold.data) },
    quarantine: { version: quarantine.stat.version, ...parseQuarantine(quarantine.data) },
    deployments: {
      version: deployments.stat.version,
      last,
      unreadable: counter.unreadable,
      before: nodes ? bytesOf(nodes.record) : 'first',
    },
    lastRecord: record,
    lastOutcome: versionOf(nodes?.outcome ?? null),
    current: node && record && isOf(record, node.stat, config.stat.mzxid, targetVersion) ? record : null,
  };
}

/** What the next record will be chained to. */
export function bytesOf(found: FoundNode): Before {
  if (found === null) return 'missing';
  return found === 'unreadable' ? 'unreadable' : found.data;
}

/** Checks only the contract: each agent decides which urls it may fetch. */
export function parseConfig(data: Buffer): ConfigContent {
  if (data.length === 0) return { target: null, refused: null };
  const judged = parseTarget(data, ANY_URL);
  return judged.ok ? { target: judged.target, refused: null } : { target: null, refused: judged.failure };
}

/** Drops a base that is no valid target: a rollback to it could never be published, and the rollout would not end. */
export function parseWithTarget(data: Buffer): Rollout | null {
  const rollout = parseRollout(data);
  if (!rollout?.base) return rollout;
  const judged = parseTarget(Buffer.from(JSON.stringify(membersOf(rollout.base))), ANY_URL);
  return judged.ok ? rollout : { ...rollout, base: null };
}

/** Whether anything was ever published, readable or not. */
export const isPublished = ({ target, refused }: ConfigContent): boolean => target !== null || refused !== null;

/**
 * Whether a record is the current target's: its czxid is config's mzxid, because our transaction wrote both, or it
 * adopts the targetVersion. Members inside the target prove nothing: a foreign writer may have copied them.
 */
const isOf = (record: Deployment, { czxid }: NodeStat, mzxid: bigint, targetVersion: TargetVersion): boolean =>
  record.adopts === null ? czxid === mzxid : record.adopts === targetVersion;

export function appMissing(app: string): FleetError {
  return FleetError.of(
    'APP_MISSING',
    `${app} is not set up on this ZooKeeper`,
    `run once: gitfleet init --app ${app} (check --zookeeper, a chroot included)`,
  );
}

/** The app was set up by a version without this znode. */
export function appOutdated(app: string, path: string): FleetError {
  return FleetError.of(
    'APP_MISSING',
    `${path} is missing: ${app} was set up by an earlier gitfleet`,
    `run once more, with the operator's credential: gitfleet init --app ${app}`,
  );
}

/** @throws FleetError DEPLOYMENTS_UNREADABLE */
export function checkCounter({ unreadable }: LastDeployment): void {
  if (unreadable !== null) throw FleetError.of('DEPLOYMENTS_UNREADABLE', unreadable);
}

/** Limited to 15 digits, so that the next number is exact too. */
function parseCounter(data: Buffer): Brake<number | null> {
  const text = data.toString('utf8').trim();
  if (text === '' || /^(?:0|[1-9]\d{0,14})$/.test(text)) return { value: Number(text), unreadable: null };
  const held = `"${visible(text, 40)}"`;
  return { value: null, unreadable: `the deployments znode holds ${held} instead of the last number` };
}
