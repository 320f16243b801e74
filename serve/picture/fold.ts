import type { AgentView } from '../../fleet/fleet-view.ts';
import { judgeDeployment } from '../../publisher/verdict.ts';
import { clean, visible } from '../../runtime/safe-text.ts';
import { inForce } from '../../schemas/hold.ts';
import { spreadOf } from '../../schemas/records/cutover.ts';
import { hasLeft } from '../../schemas/report.ts';
import type { Rollout } from '../../schemas/rollout.ts';
import { type AgentRow, STANDINGS } from '../api/shapes.ts';
import { agentRowOf } from './agent-rows.ts';
import { findingsIn } from './findings.ts';
import { actOf, historyRecordOf, holdOf, quarantinedOf, targetShapeOf } from './records.ts';
import { rememberFor } from './remember.ts';
import { inWaves, rolloutOf } from './rollout.ts';
import type { Seen, SeenService } from './seen.ts';
import type { State } from './state.ts';

const MAX_SHOWN = 200;
const MAX_LISTED = 1_000;
const MAX_VARIANTS = 50;

/**
 * From what was read to what is shown. Pure and total: whatever other programs wrote, the result fits the shapes of the
 * API, and its strings have a bounded length.
 * @param now ms since the epoch by the clock of the ensemble: a hold may have ended.
 */
export function fold(seen: Seen, now: number): State {
  const targetVersion = seen.config?.targetVersion ?? null;
  const isGone = (view: AgentView) => !view.presence && !view.falsePresence && hasLeft(view.report);
  const views = seen.agents.views.filter((view) => !isGone(view));
  const led = inWaves(seen);
  const waves = led && wavesOf(led);
  const agents = new Map(views.map((view) => [view.agentId, rowOf(view, targetVersion ?? '', waves)]));
  const online = new Set(views.filter(({ presence }) => presence).map(({ agentId }) => agentId));
  const { reached, expected } = judgeDeployment(views, online, targetVersion ?? '');
  const current = seen.deployments.find((each) => each.targetVersion === targetVersion) ?? null;
  const hold = inForce(seen.hold.value, now);
  const target = seen.config?.target ?? null;
  const refused = seen.config?.refused ?? null;
  return {
    target: target && targetShapeOf(target, target.gitfleet?.signature !== undefined),
    targetVersion,
    targetAt: seen.config?.writtenAt ?? null,
    refused: refused && { ...refused, reason: clean(refused.reason, 500), hint: clean(refused.hint, 500) },
    deployment: current && recordOf(current.record),
    reached: target ? reached : 0,
    expected,
    counts: countsOf(agents.values()),
    rollout: rolloutOf(seen, agents.values()),
    policy: seen.policy.value,
    coordinator: seen.coordinator,
    hold: hold && holdOf(hold),
    quarantine: seen.quarantine.value.slice(0, MAX_SHOWN).map(quarantinedOf),
    cutover: spreadOf(views.map(({ agentId, report }) => ({ agentId, swapped: swappedOf(report, targetVersion) }))),
    services: seen.services.map(serviceOf),
    flags: flagsOf(seen),
    enrolment: {
      open: seen.agents.enrolment.isOpen,
      notEnrolled: seen.agents.notEnrolled.slice(0, MAX_LISTED).map((name) => visible(name, 100)),
    },
    ignored: seen.agents.ignored,
    unread: seen.agents.unread,
    left: seen.agents.views.filter(isGone).map(({ agentId }) => agentId),
    findings: findingsIn(seen, agents),
    agents,
    history: seen.deployments.slice(0, MAX_SHOWN).map(({ record }) => recordOf(record)),
    acts: seen.acts.slice(0, MAX_SHOWN).map((act) => shownAct(act)),
  };
}

const rowOf = rememberFor(agentRowOf);
const recordOf = rememberFor(historyRecordOf);
const shownAct = rememberFor(actOf);
const wavesOf = rememberFor(({ members, canary }: Rollout) => ({
  members: new Set(members),
  canary: new Set(canary),
}));

function countsOf(rows: Iterable<AgentRow>): State['counts'] {
  const counts = Object.fromEntries(STANDINGS.map((standing) => [standing, 0])) as State['counts'];
  for (const { standing } of rows) counts[standing] += 1;
  return counts;
}

const swappedOf = (report: AgentView['report'], targetVersion: string | null) =>
  report !== null && report.targetVersion === targetVersion ? report.swapped : null;

function serviceOf({ service, least, known }: SeenService): State['services'][number] {
  const instances = known.filter(({ address }) => address !== null).length;
  return { service, instances, least, out: known.length - instances };
}

function flagsOf({ flags: { value } }: Seen): State['flags'] {
  return [...value.flags].map(([name, { state, defaultVariant, variants, targeting }]) => ({
    name,
    state,
    defaultVariant: defaultVariant == null ? null : clean(defaultVariant, 100),
    variants: Object.keys(variants)
      .slice(0, MAX_VARIANTS)
      .map((variant) => clean(variant, 100)),
    targeting: targeting != null && JSON.stringify(targeting) !== '{}',
  }));
}
