import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { said } from '../said.ts';
import { fromJson, toJson } from '../text/lenient-json.ts';
import { chain } from './chain.ts';

/** What people do to an app besides deploying. `other`: a kind of a newer version. */
const KINDS = [
  ...(['hold', 'unhold', 'quarantine', 'unquarantine', 'policy-set', 'policy-unset', 'forget'] as const),
  ...(['enrol', 'unenrol', 'enrolment-open', 'enrolment-close', 'other'] as const),
] as const;

/** `audit/a-<n>`, written once, in the transaction of the act. Read leniently. */
export const auditRecord = once(() =>
  z.object({
    number: z.int().positive(),
    kind: z.enum(KINDS).catch('other'),
    ...said.shape,
    /** The object of the act: a commit, an agent, an end, a policy. */
    what: z.string().default(''),
    nonce: z.string().default(''),
    chain,
  }),
);
export type AuditRecord = z.infer<ReturnType<typeof auditRecord>>;
export type AuditKind = AuditRecord['kind'];

export const parseAuditRecord = (data: Buffer): AuditRecord | null => fromJson(auditRecord(), data);
export const encodeAuditRecord = (value: AuditRecord): Buffer => toJson(auditRecord(), value);

/** How people name an audit record. */
export const auditName = (n: number): string => `a-${n}`;
