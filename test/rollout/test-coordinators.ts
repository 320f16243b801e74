import { parsePolicy } from '../../schemas/policy.ts';
import { type Phase, presence, report } from '../../schemas/report.ts';
import { parsePermit, parseRollout, type Rollout } from '../../schemas/rollout.ts';
import { ANY_URL, parseTarget, targetVersionOf } from '../../schemas/target.ts';
import { toJson } from '../../schemas/text/lenient-json.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';

/** A stand-in for an agent: keeps the agents' rule about permits, and has no disk. */
export interface Actor {
  readonly agentId: string;
  /** The letter of the commit that it shows. */
  readonly shown: string | null;
  /** Every commit that it activated, by its letter, and whether its permit was for that target. */
  readonly activated: readonly { readonly letter: string; readonly permitted: boolean }[];
  stop(): Promise<void>;
}

export interface ActorOptions {
  readonly labels?: Record<string, string>;
  /** Commits, by their letter, that fail their health check here. */
  readonly bad?: readonly string[];
  /** How long an activation takes, ms. */
  readonly activateMs?: number;
}

export async function startActor(
  session: Session,
  paths: Znodes,
  agentId: string,
  options: ActorOptions = {},
): Promise<Actor> {
  const card = { agentId, instanceId: agentId, machineId: agentId, pid: 1, host: 'h', labels: options.labels ?? {} };
  const online = toJson(presence(), {
    ...card,
    agentVersion: '',
    startedAt: 0,
    identity: null,
    problem: null,
    cutover: 'able' as const,
    allowUrls: null,
    audience: null,
    reachableFrom: null,
    signedCommits: false,
  });
  await session.create(paths.presence(agentId), online, 'ephemeral');
  let stopped = false;
  let shown: string | null = null;
  let told = '';
  const activated: { letter: string; permitted: boolean }[] = [];
  const failedAt = new Set<string>();

  async function say(targetVersion: string, phase: Phase, more: object = {}): Promise<void> {
    const key = `${targetVersion} ${phase}`;
    if (told === key) return;
    told = key;
    const said = { agentId, targetVersion, phase, activeCommit: shown?.repeat(40) ?? null, phaseAt: 0, at: 0, ...more };
    const data = toJson(report(), report().parse(said));
    const there = await session.exists(paths.report(agentId));
    if (there) await session.set(paths.report(agentId), data, -1);
    else await session.create(paths.report(agentId), data, 'persistent');
  }

  async function turn(): Promise<void> {
    const [config, node, permitNode, policyNode] = await Promise.all(
      [paths.config, paths.rollout, paths.permit(agentId), paths.policy].map((path) => session.get(path)),
    );
    const judged = config && parseTarget(config.data, ANY_URL);
    if (!config || !judged?.ok) return;
    const targetVersion = targetVersionOf(config.stat);
    const letter = judged.target.commitId[0] as string;
    if (shown === letter && !failedAt.has(targetVersion)) return await say(targetVersion, 'active');
    if (failedAt.has(targetVersion)) return;
    const rollout = node ? parseRollout(node.data) : null;
    const permitted = permitNode != null && parsePermit(permitNode.data) === targetVersion;
    const policy = judged.target.gitfleet?.policy ?? parsePolicy(policyNode?.data ?? Buffer.alloc(0)).value;
    if (!mayGo(rollout, targetVersion, permitted, policy !== null)) return await say(targetVersion, 'awaiting');
    const before = shown;
    await say(targetVersion, 'activating');
    await new Promise((resolve) => setTimeout(resolve, options.activateMs ?? 30));
    activated.push({ letter, permitted: permitted || !rollout?.permits });
    if (!options.bad?.includes(letter)) {
      shown = letter;
      return await say(targetVersion, 'active');
    }
    shown = before;
    failedAt.add(targetVersion);
    const error = { code: 'HEALTH_FAILED', reason: 'GET /up answered 500', hint: '', next: 'stall' };
    await say(targetVersion, 'failed', { error });
  }

  const running = (async () => {
    while (!stopped) {
      await turn().catch(() => {});
      await new Promise((resolve) => setTimeout(resolve, 15));
    }
  })();
  return {
    agentId,
    get shown() {
      return shown;
    },
    activated,
    async stop() {
      stopped = true;
      await running;
    },
  };
}

function mayGo(rollout: Rollout | null, targetVersion: string, permitted: boolean, policy: boolean): boolean {
  if (rollout?.targetVersion !== targetVersion) return !policy;
  if (!rollout.permits || rollout.state === 'proven') return true;
  return permitted && (rollout.state === 'running' || rollout.state === 'paused');
}
