import * as z from 'zod';
import { type Code, codes } from '../runtime/codes.ts';
import { once } from '../runtime/once.ts';
import { failure } from './failure.ts';
import { CUTOVER_STANDINGS, swapped } from './records/cutover.ts';
import { said } from './said.ts';
import { fromJson } from './text/lenient-json.ts';

/** Where an agent stands with the target it judged. */
export const PHASES = [
  'waiting', // no target yet, or for something named in `waitingFor`
  'fetching',
  'writing',
  'verifying',
  'preparing', // the prepare step runs in the release, which nothing shows yet
  'awaiting', // verified and prepared: only its permit is missing
  'swapping',
  'activating',
  'checking', // shows the target; its health checks have not decided yet
  'active', // serves the target; steps and health checks ended well
  'failed', // gave up or retries: see `error`; `activeCommit` shows whether it swapped back
  'suspended', // a person took this server out: see `suspended`
] as const;
export type Phase = (typeof PHASES)[number];

/** A report is a znode that everybody reads: the whole output stays on the server. */
export const MAX_OUTPUT_CHARACTERS = 2_000;

/**
 * What an agent says about itself, in `agents/<agentId>`. Read leniently: members of a newer agent are ignored.
 * Times are ms since the epoch by the agent's clock.
 */
export const report = once(() =>
  z.object({
    agentId: z.string(),
    /** The target this report speaks about; null before the first. A report without it would be noise. */
    targetVersion: z.string().nullable(),
    deployment: z.number().int().nullable().default(null),
    /** One that a newer agent invented is neither an end nor a failure, and must not hide the agent. */
    phase: z.enum(PHASES).catch('waiting'),
    /** What the link shows now. */
    activeCommit: z.string().nullable(),
    /** What the target asks for, where it could be read. */
    desiredCommit: z.string().nullable().default(null),
    relativePath: z.string().nullable().default(null),
    error: failure().nullable().default(null),
    waitingFor: z.string().nullable().default(null),
    /** The last words of the step that failed, without control characters; at most MOST_OUTPUT_CHARACTERS. */
    output: z.string().nullable().default(null),
    /** Set while a person on the server keeps it out of every rollout. */
    suspended: said.nullable().default(null),
    /** Set while a person on the server keeps it on another commit than the target's. */
    override: said.nullable().default(null),
    /** Files of the active release that are not the commit's, as the last inspection found them; at most 20. */
    drift: z.array(z.string()).default([]),
    /** Set while it failed and tries again without a person, also where `error.next` names one: a new key needs no word. */
    retries: z.boolean().default(false),
    /** How it swapped to that target, where all agents of its wave swapped at one instant. */
    swapped: swapped().nullable().catch(null).default(null),
    /** Its server goes away for good: once it is offline nothing expects it any more. */
    left: z.boolean().default(false),
    /** The name of its presence below `online`, while another client's node has its own name there. */
    presenceAt: z.string().nullable().default(null),
    /** Tries at this targetVersion so far. */
    attempts: z.number().int().default(0),
    /** Since when the phase holds. */
    phaseAt: z.number(),
    at: z.number(),
    agentVersion: z.string().default(''),
  }),
);
export type Report = z.infer<ReturnType<typeof report>>;

/** A person's word on the server holds whatever the target is, until that person takes it back. */
export const isSuspended = (last: Report | null): boolean => last?.phase === 'suspended' || last?.suspended != null;

/** It said that it leaves for good; of an agent that is online again an old word, until it reports. */
export const hasLeft = (last: Report | null): boolean => last?.left === true;

/** Its own tries are over: only a person, or a newer target, changes that. */
export const hasGivenUp = (last: Report | null): boolean =>
  last?.error?.next === 'stall' || last?.error?.next === 'bug';

/**
 * Whether a failure speaks against the commit: the same commit would fail elsewhere too. A code that this version does
 * not know speaks against nothing: a wait costs less than a rollback that no commit deserves.
 */
export const blamesCommit = ({ code }: { readonly code: string }): boolean =>
  Object.hasOwn(codes(), code) && codes()[code as Code].about === 'commit';

/** A person on the server keeps it on another commit, and it shows that one. */
export const isOverridden = (last: Report | null): boolean => last?.override != null && last.error === null;

/** A publisher reads the presence of every agent. */
export const MAX_PREFIXES = 100;

/** `online/<agentId>`: who holds this id, for as long as its session lives. */
export const presence = once(() =>
  z.object({
    agentId: z.string(),
    /** New for each process. */
    instanceId: z.string(),
    /** The same for one state directory on one boot of one machine. */
    machineId: z.string(),
    pid: z.number().int(),
    host: z.string(),
    labels: z.record(z.string(), z.string()).default({}),
    agentVersion: z.string().default(''),
    /** The prefixes of urls that it fetches from; null: it does not say, such as for more than 100. */
    allowUrls: z.array(z.string().max(2_048)).max(MAX_PREFIXES).nullable().catch(null).default(null),
    startedAt: z.number(),
    /** What `gitfleet enrol` enters, as text (schemas/enrolment.ts); null: an agent of an older version. */
    identity: z.string().nullable().default(null),
    /** Whether it can swap at one instant with others (policy.cutover); null: its version does not know that. */
    cutover: z.enum(CUTOVER_STANDINGS).nullable().catch(null).default(null),
    /** What keeps this agent from reporting, where something does. */
    problem: z.string().nullable().default(null),
  }),
);
export type Presence = z.infer<ReturnType<typeof presence>>;

/** Below `online`: where the presence of a contested agent is. No agent has such a name. */
export const secondName = (agentId: string, drawn: string): string => `${agentId}~${drawn}`;

/** The node to look at, if the report names one; null for any other name. */
export const presenceAt = (agentId: string, last: Report | null): string | null => {
  const name = last?.presenceAt ?? null;
  return name !== null && /^~[0-9a-f]{32}$/.test(name.slice(agentId.length)) && name.startsWith(agentId) ? name : null;
};

export const parseReport = (data: Buffer): Report | null => fromJson(report(), data);
export const parsePresence = (data: Buffer): Presence | null => fromJson(presence(), data);
