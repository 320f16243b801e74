import * as z from 'zod';
import { type Code, codes } from '../runtime/codes.ts';
import { once } from '../runtime/once.ts';
import { failure } from './failure.ts';
import { CUTOVER_STANDINGS, swapped } from './records/cutover.ts';
import { unacknowledgedDrain } from './records/unacknowledged.ts';
import { said } from './said.ts';
import { isPlainRef, MAX_REFS } from './settings/branch-rules.ts';
import { fromJson } from './text/lenient-json.ts';

/** How far an agent is with the target that it judged. */
export const PHASES = [
  'waiting', // no target yet, or it waits for what `waitingFor` names
  'fetching',
  'writing',
  'verifying',
  'preparing', // the prepare step runs in the release, which no link shows yet
  'awaiting', // verified and prepared: only its permit is missing
  'swapping',
  'activating',
  'checking', // the link shows the target; its health checks have not decided yet
  'active', // serves the target; steps and health checks succeeded
  'failed', // gave up or retries: see `error`; `activeCommit` shows whether it swapped back
  'suspended', // a person keeps this server out of rollouts: see `suspended`
] as const;
export type Phase = (typeof PHASES)[number];

/** A report is a znode that many readers fetch: the whole output stays on the server. */
export const MAX_OUTPUT_CHARACTERS = 2_000;

/** `passedOver`: why a bundle was not used; null: it was, or there is none, or this agent had to ask the origin. */
const brought = () =>
  z.object({ from: z.enum(['origin', 'bundle', 'store']), passedOver: z.string().max(40).nullable().default(null) });

/**
 * What an agent says about itself, in `agents/<agentId>`. Read leniently: members of a newer agent are ignored.
 * Times are ms since the epoch by the agent's clock.
 */
export const report = once(() =>
  z.object({
    agentId: z.string(),
    /** The target that this report is about, without which it would say nothing; null before the first target. */
    targetVersion: z.string().nullable(),
    deployment: z.number().int().nullable().default(null),
    /** A phase that only a newer version knows is neither an end nor a failure, and must not hide the agent. */
    phase: z.enum(PHASES).catch('waiting'),
    /** What the link shows now. */
    activeCommit: z.string().nullable(),
    /** The commit that the target asks for; null: the target could not be read. */
    desiredCommit: z.string().nullable().default(null),
    relativePath: z.string().nullable().default(null),
    /** Who signed the target, as this agent has verified it; null: it requires no signature, or refuses this one. */
    signer: z.string().nullable().catch(null).default(null),
    error: failure().nullable().default(null),
    waitingFor: z.string().nullable().default(null),
    /** The end of the failed step's output, without control characters; at most MAX_OUTPUT_CHARACTERS. */
    output: z.string().nullable().default(null),
    /** Set while a person on the server keeps it out of every rollout. */
    suspended: said.nullable().default(null),
    /** Set while a person on the server keeps it on a commit other than the target's. */
    override: said.nullable().default(null),
    /** Files of the active release that differ from the commit, as the last inspection found them; at most 20. */
    drift: z.array(z.string()).default([]),
    /**
     * Set while it has failed and retries without a person, also if `error.next` names one: a new key is found by
     * itself.
     */
    retries: z.boolean().default(false),
    /** Where the objects of that target came from; null: it has not fetched since it started. */
    objects: brought().nullable().catch(null).default(null),
    /** How it swapped to that target, if all agents of its wave swapped at one instant. */
    swapped: swapped().nullable().catch(null).default(null),
    /** The services that it left for this target without the acknowledgement of each consumer. */
    unacknowledged: z.array(unacknowledgedDrain()).catch([]).default([]),
    /** Its server is removed for good: once the agent is offline, it is no longer expected. */
    left: z.boolean().default(false),
    /** The name of its presence below `online`, while another client's node has its own name there. */
    presenceAt: z.string().nullable().default(null),
    /** How often it has tried this targetVersion so far. */
    attempts: z.number().int().default(0),
    /** Since when the phase holds. */
    phaseAt: z.number(),
    at: z.number(),
    agentVersion: z.string().default(''),
  }),
);
export type Report = z.infer<ReturnType<typeof report>>;

/** What a person set on the server holds for every target, until that person takes it back. */
export const isSuspended = (last: Report | null): boolean => last?.phase === 'suspended' || last?.suspended != null;

/** It said that it leaves for good. If the agent is online again, that is out of date until it reports. */
export const hasLeft = (last: Report | null): boolean => last?.left === true;

/** It no longer tries by itself: only a person or a newer target changes that. */
export const hasGivenUp = (last: Report | null): boolean =>
  last?.error?.next === 'stall' || last?.error?.next === 'bug';

/**
 * Whether a failure is the commit's: the same commit would fail on other servers too. A code that this version does not
 * know blames no commit: waiting costs less than a rollback that the commit does not deserve.
 */
export const blamesCommit = ({ code }: { readonly code: string }): boolean =>
  Object.hasOwn(codes(), code) && codes()[code as Code].about === 'commit';

/** A person on the server keeps it on another commit, and it shows that one. */
export const isOverridden = (last: Report | null): boolean => last?.override != null && last.error === null;

/** A publisher reads the presences of all agents. */
export const MAX_PREFIXES = 100;

export const MAX_SAID_RULES = 5;

/** `online/<agentId>`: which process holds this id, for as long as its session lives. */
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
    /**
     * The prefixes of the urls that it fetches from; null: it does not say, for example because it has more than 100.
     */
    allowUrls: z.array(z.string().max(2_048)).max(MAX_PREFIXES).nullable().catch(null).default(null),
    /** Whom the signed targets are for that it requires; null: it requires no signature. */
    audience: z.string().max(100).nullable().catch(null).default(null),
    /** The branches on which it requires a commit to be; null: none, or more rules than a publisher should read. */
    reachableFrom: z
      .array(z.object({ url: z.string().max(2_048), refs: z.array(z.string().refine(isPlainRef)).max(MAX_REFS) }))
      .max(MAX_SAID_RULES)
      .nullable()
      .catch(null)
      .default(null),
    /** Whether it requires the commit, or a tag of it, to be signed. */
    signedCommits: z.boolean().catch(false).default(false),
    startedAt: z.number(),
    /** What `gitfleet enrol` enters, as text (schemas/enrolment.ts); null: an agent of an older version. */
    identity: z.string().nullable().default(null),
    /** Whether it can swap at one instant with others (policy.cutover); null: its version does not know that. */
    cutover: z.enum(CUTOVER_STANDINGS).nullable().catch(null).default(null),
    /** What keeps this agent from reporting; null: nothing does. */
    problem: z.string().nullable().default(null),
  }),
);
export type Presence = z.infer<ReturnType<typeof presence>>;

/** Below `online`: the name of a contested agent's presence. No agent has such a name. */
export const secondName = (agentId: string, drawn: string): string => `${agentId}~${drawn}`;

/** The node to look at, if the report names one; null for any other name. */
export const presenceAt = (agentId: string, last: Report | null): string | null => {
  const name = last?.presenceAt ?? null;
  return name !== null && /^~[0-9a-f]{32}$/.test(name.slice(agentId.length)) && name.startsWith(agentId) ? name : null;
};

export const parseReport = (data: Buffer): Report | null => fromJson(report(), data);
export const parsePresence = (data: Buffer): Presence | null => fromJson(presence(), data);
