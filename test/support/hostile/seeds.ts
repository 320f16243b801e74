import type { Json } from './values.ts';

/** What is true where a value is put, for values that are nearly right. */
export interface Facts {
  readonly targetVersion: string;
  readonly deployment: number;
  readonly good: { readonly url: string; readonly commitId: string; readonly relativePath: string };
  /** Another commit of the same repository, which may be shown. */
  readonly older: string;
  /** A repository that no agent may use, and a commit in it. */
  readonly evil: { readonly url: string; readonly commitId: string };
  readonly outside: string;
  readonly at: number;
}

const someone = (at: number): { [name: string]: Json } => ({ by: 'ann', reason: 'because', at });

/** A value of every kind as gitfleet would write it, in every relevant state. */
export const SEEDS: Readonly<Record<SeedKind, (facts: Facts, draw: <T>(from: readonly T[]) => T) => Json>> = {
  rollout: ({ targetVersion, deployment, good, older, at, ...facts }, draw) => ({
    deployment,
    targetVersion,
    leader: draw([null, { agentId: 'web-1', czxid: '1f' }]),
    wave: draw([0, 1]),
    state: draw(['running', 'paused', 'halted', 'proven', 'failed', 'aborted', 'rolled-back', 'dreaming']),
    base: draw<Json>([
      null,
      { deployment: 1, ...good, commitId: older },
      ...hostileTargets({ targetVersion, deployment, good, older, at, ...facts }).map((target) => ({
        deployment: 1,
        ...target,
      })),
    ]),
    permits: draw([true, false]),
    policy: draw([null, { canary: 1, maxParallel: 1, soak: '24d' }]),
    wayBack: draw([true, false]),
    startedAt: at,
    canary: ['web-1'],
    members: draw([[], ['web-1'], ['web-1', 'web-2'], ['nobody', '../x', '']]),
    waveAt: draw([0, at, at + 1e12, -at]),
    soakAt: draw([null, at, at + 1e12]),
    promoted: draw([null, { ...someone(at), wave: 0 }]),
    late: draw([[], ['web-1']]),
    latePermitted: draw([[], ['web-1']]),
    excused: draw([[], ['web-1', 'web-2']]),
    reason: 'a reason',
    setBack: draw([true, false]),
    steered: [{ ...someone(at), verb: 'pause' }],
    failures: [{ agentId: 'web-1', code: 'ACTIVATE_FAILED', reason: 'x' }],
  }),
  policy: (_, draw) => ({
    canary: draw<Json>([1, '50%', 'role=canary', 1e9]),
    maxParallel: draw<Json>([1, '25%', 1e15]),
    byLabel: 'zone',
    soak: draw(['0s', '1s', '24d']),
    promote: draw(['auto', 'manual']),
    failureBudget: draw<Json>([0, '100%']),
    offlineBudget: draw<Json>([0, '100%']),
    deadline: draw(['1ms', '15m', '24d']),
    onFailure: draw(['rollback', 'pause', 'continue']),
  }),
  quarantine: ({ good, older, at }, draw) => ({
    commits: draw([[], [good.commitId], [older], [good.commitId, older]]).map((commitId) => ({
      commitId,
      ...someone(at),
    })),
  }),
  hold: ({ at }, draw) => ({ ...someone(at), end: draw([null, at + 3_600_000, at - 1, 1e300]) }),
  record: ({ deployment, good, older, evil, at }, draw) => ({
    number: draw([deployment, deployment + 1, 1e15]),
    target: { ...good, commitId: draw([good.commitId, older, evil.commitId]) },
    ...someone(at),
    via: draw(['publish', 'rollback', 'hook', 'adopted', 'magic']),
    ref: 'refs/heads/main',
    nonce: 'abc',
    previous: draw([null, deployment, 7]),
    adopts: null,
    returnsTo: draw([null, 1]),
    outcome: draw<Json>([
      null,
      { state: 'proven', at, reached: 2, expected: 2, missing: [], by: 'ann' },
      { state: 'failed', at, reached: 0, expected: 2, missing: [{ agentId: 'web-1', code: 'X' }], by: 'ann' },
    ]),
  }),
  presence: ({ at }, draw) => ({
    agentId: draw(['web-1', 'web-2', 'ghost']),
    instanceId: 'abc',
    machineId: 'def',
    pid: 7,
    host: 'a-host',
    labels: { zone: 'a', role: 'canary' },
    agentVersion: '0.1.0',
    startedAt: at,
    problem: null,
  }),
  report: ({ targetVersion, deployment, good, older, at }, draw) => ({
    agentId: draw(['web-1', 'web-2', 'ghost']),
    targetVersion: draw([targetVersion, null, '1.1']),
    deployment,
    phase: draw(['waiting', 'fetching', 'awaiting', 'activating', 'active', 'failed', 'suspended', 'dreaming']),
    activeCommit: draw([good.commitId, older, null]),
    desiredCommit: good.commitId,
    relativePath: good.relativePath,
    error: draw<Json>([
      null,
      { code: 'ACTIVATE_FAILED', reason: 'x', hint: 'y', next: draw(['retry', 'stall', 'bug']) },
    ]),
    waitingFor: null,
    output: 'some words',
    suspended: draw<Json>([null, someone(at)]),
    override: draw<Json>([null, someone(at)]),
    drift: ['a'],
    attempts: 1,
    phaseAt: at,
    at,
    agentVersion: '0.1.0',
  }),
  override: ({ targetVersion, good, older, at, ...facts }, draw) => ({
    against: draw([targetVersion, '1.1']),
    ...draw([
      { url: '', relativePath: good.relativePath, commitId: older },
      ...hostileTargets({ targetVersion, good, older, at, ...facts }),
    ]),
    ...someone(at),
  }),
  suspended: ({ at }) => someone(at),
};

export type SeedKind =
  | 'rollout'
  | 'policy'
  | 'quarantine'
  | 'hold'
  | 'record'
  | 'presence'
  | 'report'
  | 'override'
  | 'suspended';

/** Whole targets, each of which leads to a place that no agent may use. */
export function hostileTargets({
  good,
  evil,
  outside,
}: Facts): { url: string; commitId: string; relativePath: string }[] {
  return [
    { ...good, ...evil },
    { ...good, ...evil, relativePath: '../outside/x' },
    { ...good, url: `${good.url}/../../evil/shop.git`, commitId: evil.commitId },
    { ...good, commitId: evil.commitId },
    { ...good, relativePath: '../outside/x' },
    { ...good, relativePath: `${outside}/x` },
    { ...good, relativePath: '.gitfleet/x' },
    { ...good, relativePath: 'shop/inside' },
    { ...good, url: `file://${outside}` },
    { ...good, url: `ext::sh -c "touch ${outside}/x"` },
    { ...good, url: `--upload-pack=touch ${outside}/x` },
    { ...good, commitId: 'HEAD' },
    { ...good, commitId: `--output=${outside}/x` },
  ];
}
