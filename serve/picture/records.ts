import { clean, visible } from '../../runtime/safe-text.ts';
import type { Deployment, Outcome } from '../../schemas/deployment.ts';
import type { Hold, Quarantined } from '../../schemas/hold.ts';
import type { AuditRecord } from '../../schemas/records/audit.ts';
import type { Said } from '../../schemas/said.ts';
import type { ActRecord, HistoryRecord } from '../api/parts.ts';

/** Records, and what people said, in the shapes of the API. Pure; lengths are bounded. */

const MAX_NAME = 200;
const MAX_TEXT = 500;
const MAX_URL = 2_048;

interface Core {
  readonly url: string;
  readonly commitId: string;
  readonly relativePath: string;
}

/** Without the envelope: a reader of the page cannot verify it, and it is larger than all the rest. */
export const targetShapeOf = (core: Core, signed: boolean): HistoryRecord['target'] => ({
  url: visible(core.url, MAX_URL),
  commitId: clean(core.commitId, MAX_NAME),
  relativePath: clean(core.relativePath, MAX_TEXT),
  signed,
});

export function historyRecordOf(record: Deployment): HistoryRecord {
  const { nonce: _nonce, chain: _chain, target, outcome, ...rest } = record;
  return {
    ...rest,
    by: clean(rest.by, MAX_NAME),
    reason: clean(rest.reason, MAX_TEXT),
    ref: rest.ref === null ? null : clean(rest.ref, MAX_NAME),
    adopts: rest.adopts === null ? null : clean(rest.adopts, MAX_NAME),
    quarantined: rest.quarantined === null ? null : clean(rest.quarantined, MAX_NAME),
    lifted: rest.lifted && saidOf(rest.lifted),
    underHold: rest.underHold && saidOf(rest.underHold),
    target: targetShapeOf(target, target.signature !== undefined),
    outcome: outcome && outcomeOf(outcome),
  };
}

function outcomeOf(outcome: Outcome): Outcome {
  const { reason, ...rest } = outcome;
  const missing = rest.missing
    .slice(0, 20)
    .map(({ agentId, code }) => ({ agentId: clean(agentId, MAX_NAME), code: clean(code, MAX_NAME) }));
  return {
    ...rest,
    by: clean(rest.by, MAX_NAME),
    missing,
    ...(reason === undefined ? {} : { reason: clean(reason, MAX_TEXT) }),
  };
}

export function actOf({ nonce: _nonce, chain: _chain, ...act }: AuditRecord): ActRecord {
  return { ...act, ...saidOf(act), what: clean(act.what, MAX_TEXT) };
}

export const holdOf = (hold: Hold): Hold => ({ ...saidOf(hold), end: hold.end });
export const quarantinedOf = (one: Quarantined): Quarantined => ({ ...saidOf(one), commitId: one.commitId });

export const saidOf = ({ by, reason, at }: Said): Said => ({
  by: clean(by, MAX_NAME),
  reason: clean(reason, MAX_TEXT),
  at,
});
