import type { Action } from '../../rollout/action.ts';
import type { AgentSeen, Core, Observed } from '../../rollout/observed.ts';
import type { NextStep } from '../../runtime/errors.ts';
import { type Deployment, deployment } from '../../schemas/deployment.ts';
import { type Policy, policy as policySchema } from '../../schemas/policy.ts';
import type { CutoverStanding } from '../../schemas/records/cutover.ts';
import { type Phase, type Report, report } from '../../schemas/report.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import type { CommitId, TargetVersion } from '../../schemas/values.ts';

/** One agent of a small model fleet; its report is about `says` and nothing else. */
interface Model {
  agentId: string;
  online: boolean;
  labels: Record<string, string>;
  cutover: CutoverStanding | null;
  report: Report | null;
  permit: { targetVersion: TargetVersion; at: number } | null;
  heard: number;
  well: number;
}

const core = (letter: string): Core => ({
  url: 'https://git.example.com/shop.git',
  commitId: letter.repeat(40),
  relativePath: 'shop',
});

/** A shared state in memory: pictures of it go to the plan, and the orders change it, as transactions would. */
export class World {
  now = 1_000_000;
  policy: Policy | null;
  rollout: Rollout | null = null;
  readonly agents = new Map<string, Model>();
  readonly records: Deployment[] = [];
  readonly quarantine: string[] = [];
  config: { targetVersion: TargetVersion; target: Core | null; policy: Policy | null; recorded: boolean } | null = null;
  writes = 0;
  proven: Deployment | null = null;
  setBack = false;
  /** For how long the present leader has watched. */
  watched = Number.POSITIVE_INFINITY;

  constructor(policy: Record<string, unknown> | null, agents: number | Record<string, Record<string, string>>) {
    this.policy = policy === null ? null : policySchema().parse(policy);
    const named =
      typeof agents === 'number'
        ? Object.fromEntries(Array.from({ length: agents }, (_, n) => [`web-${n + 1}`, {}]))
        : agents;
    for (const [agentId, labels] of Object.entries(named)) this.join(agentId, labels);
  }

  join(agentId: string, labels: Record<string, string> = {}): void {
    this.agents.set(agentId, {
      agentId,
      online: true,
      labels,
      cutover: 'able',
      report: null,
      permit: null,
      heard: this.now,
      well: 0,
    });
  }

  publish(letter: string, more: Partial<Deployment> = {}, policy: Policy | null = null): void {
    this.writes += 1;
    const number = this.records.length + 1;
    const previous = number > 1 ? number - 1 : null;
    const written = { number, target: core(letter), by: 'ann', reason: '', via: 'publish', nonce: 'n', previous };
    this.records.push(deployment.parse({ ...written, at: this.now, ...more }));
    const targetVersion = `${(0x100 + this.writes).toString(16)}.${this.now}` as TargetVersion;
    this.config = { targetVersion, target: core(letter), policy, recorded: true };
  }

  get targetVersion(): TargetVersion {
    if (!this.config) throw new Error('nothing is published');
    return this.config.targetVersion;
  }

  agent(agentId: string): Model {
    const found = this.agents.get(agentId);
    if (!found) throw new Error(`no agent ${agentId}`);
    return found;
  }

  /** The agent reports this phase about what config holds now. */
  say(agentId: string, phase: Phase, more: Record<string, unknown> = {}): void {
    const { targetVersion } = this;
    const said = { agentId, targetVersion, phase, activeCommit: null, phaseAt: this.now, at: this.now, ...more };
    this.agent(agentId).report = report().parse(said);
  }

  fail(agentId: string, code = 'HEALTH_FAILED', next: NextStep = 'stall'): void {
    this.say(agentId, 'failed', { error: { code, reason: 'GET /up: 500', hint: '', next } });
  }

  sayAll(phase: Phase): void {
    for (const each of this.agents.values()) if (each.online) this.say(each.agentId, phase);
  }

  permitted(): string[] {
    return [...this.agents.values()]
      .filter((each) => each.permit?.targetVersion === this.targetVersion)
      .map((each) => each.agentId)
      .toSorted();
  }

  picture(): Observed {
    const { config, rollout } = this;
    const about = (number: number | undefined) => this.records.find((each) => each.number === number) ?? null;
    for (const each of this.agents.values()) if (each.online && each.report?.phase === 'active') each.well = this.now;
    const agents: AgentSeen[] = [...this.agents.values()].map((each) => ({
      ...each,
      labels: each.online ? each.labels : {},
    }));
    const value = this.quarantine.map((commitId) => ({
      commitId: commitId as CommitId,
      reason: 'failed',
      by: 'coordinator',
      at: 0,
    }));
    return {
      now: this.now,
      wanted: config && {
        targetVersion: config.targetVersion,
        target: config.target,
        policy: config.policy,
        record: config.recorded ? (this.records.at(-1) ?? null) : null,
      },
      policy: { value: this.policy, unreadable: null },
      rollout,
      unknownState: null,
      left: rollout && rollout.targetVersion !== config?.targetVersion ? about(rollout.deployment) : null,
      proven: this.proven,
      quarantine: { value, unreadable: null },
      agents,
      setBack: this.setBack,
      watched: this.watched,
    };
  }

  /** As the transaction would. */
  execute(order: Action): void {
    if (order.do === 'rest') return;
    if (order.do === 'adopt') {
      if (this.config) this.config.recorded = true;
      return;
    }
    const { outcome } = order;
    const record = this.records.find((each) => each.number === outcome?.number);
    if (record && outcome && !record.outcome) record.outcome = outcome.outcome;
    if (order.rollout) this.rollout = order.rollout;
    if ('instantInMs' in order && order.rollout && order.instantInMs !== null)
      this.rollout = { ...order.rollout, activateAt: { at: this.now + order.instantInMs, epoch: 1 } };
    if (order.do === 'roll back') {
      this.quarantine.push(order.commitId);
      this.publish((order.base.commitId[0] ?? '') as string, { via: 'rollback', returnsTo: order.base.deployment });
      return;
    }
    for (const id of order.revoke) this.agent(id).permit = null;
    for (const id of order.grant) this.agent(id).permit = { targetVersion: this.targetVersion, at: this.now };
  }
}
