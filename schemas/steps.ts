import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { parseRelativePath } from './relative-path.ts';
import { duration } from './settings/setting-values.ts';

/**
 * What a server does around the swap of its link: steps, health checks, shared paths. The agent's settings and a
 * commit's `gitfleet.yml` (release-file.ts) have the same members. docs/steps.md says when each of them runs.
 */
const STEP_NAMES = ['prepare', 'pre-activate', 'activate', 'on-rollback', 'on-failure'] as const;
export type StepName = (typeof STEP_NAMES)[number];

/** All except tab and new line: `sh -c` takes a script of several lines. A NUL byte cannot be passed to a program. */
const UNSPEAKABLE = /(?![\t\n])\p{Cc}/u;

const word = () =>
  z
    .string({ error: 'must be text' })
    .min(1, 'is empty')
    .refine((text) => !UNSPEAKABLE.test(text), 'has a control character');

/** Program and arguments, run without a shell. */
const command = () =>
  z
    .array(word(), { error: 'must be a list of program and arguments, such as [npm, ci, --omit=dev]' })
    .min(1, 'must name at least a program');

/** @param timeout the default; after it, the command and everything that it started are killed. */
const step = (timeout: string) => z.strictObject({ command: command(), timeout: duration(timeout, { least: '1s' }) });

const check = () =>
  z
    .strictObject({
      /** GET: the status must be one of `status`. Redirects are not followed. */
      http: z
        .string()
        .refine(
          (text) => /^https?:\/\/[^\s@\p{Cc}]+$/u.test(text) && URL.canParse(text),
          'must be http://host:port/path',
        )
        .optional(),
      status: z.array(z.int().min(100).max(599)).min(1).optional(),
      /** Must accept a connection. */
      tcp: z
        .string()
        .regex(/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]{1,253}):[1-9]\d{0,4}$/, 'must be host:port')
        .refine((text) => Number(text.slice(text.lastIndexOf(':') + 1)) <= 65_535, 'must be a port up to 65535')
        .optional(),
      /** Must exit with 0. */
      command: command().optional(),
      /** Must be active according to `systemctl is-active`. */
      unit: z
        .string()
        .regex(/^[A-Za-z0-9:_.\\@][A-Za-z0-9:_.\\@-]{0,254}$/, 'must be a unit such as shop.service')
        .optional(),
      /** For one look. */
      timeout: duration('5s', { least: '100ms', most: '10m' }),
    })
    .refine(
      ({ http, tcp, command, unit }) => [http, tcp, command, unit].filter((each) => each !== undefined).length === 1,
      'must have exactly one of http, tcp, command and unit',
    )
    .refine(({ http, status }) => status === undefined || http !== undefined, 'has a status without http');
export type HealthCheck = z.infer<ReturnType<typeof check>>;

const health = () =>
  z
    .strictObject({
      /** All of them must be well. */
      checks: z.array(check()).min(1, 'must have at least one check').max(20),
      /** The pause between two looks. */
      interval: duration('1s', { least: '100ms', most: '10m' }),
      /** This number of successive looks must be good... */
      rise: z.int().min(1).max(1_000).prefault(2),
      /** ...over at least this time: a service that starts, answers and dies is not healthy. */
      healthyFor: duration('5s'),
      /** This number of successive bad looks ends it, once it was well or `start` is over. */
      fall: z.int().min(1).max(1_000).prefault(3),
      /** How long a starting service may be unwell. */
      start: duration('10s'),
      /** It must be healthy within this time. */
      deadline: duration('2m', { least: '1s' }),
    })
    .refine((all) => all.deadline > all.healthyFor, 'must be a deadline that is later than healthyFor');

/** Below the release, in one spelling, not nested, and not a path of git's or ours. */
const sharedPaths = () =>
  z
    .array(z.string())
    .max(50)
    .superRefine((paths, context) => {
      const refuse = (message: string) => context.addIssue({ code: 'custom', message });
      for (const path of paths) {
        if (!parseRelativePath(path).ok) refuse('must be plain paths inside the release, such as uploads or var/log');
        if (path === RELEASE_FILE) refuse(`cannot share ${RELEASE_FILE}`);
        if (paths.some((other) => other !== path && other.startsWith(`${path}/`))) refuse(`${path} holds another one`);
      }
      if (new Set(paths).size !== paths.length) refuse('names one path twice');
    });

/**
 * Each must contain a name. A pattern of wildcards alone, or a slash, would exclude the whole release from the
 * comparison with its commit; `!` would revoke another pattern.
 */
const generated = () =>
  z
    .array(
      z
        .string()
        .min(1)
        .max(200)
        .refine((pattern) => !/\p{Cc}/u.test(pattern), 'has a control character')
        .refine((pattern) => !pattern.startsWith('!'), 'must name what is made, not exceptions (!)')
        .refine(namesSomething, 'must be patterns with a name in them, such as node_modules/ or *.pyc'),
    )
    .max(100);

/** Has a letter or digit outside brackets, and no segment that leads elsewhere. */
function namesSomething(pattern: string): boolean {
  if (pattern.split('/').some((segment) => segment === '.' || segment === '..')) return false;
  return /[\p{L}\p{N}]/u.test(pattern.replace(/\[[^\]]*\]/g, ''));
}

/** The file in a commit with the same members, used if a server's settings allow it. */
export const RELEASE_FILE = 'gitfleet.yml';

/** The common members of settings and release file. Absent: nothing is run, checked or linked. */
export const stepMembers = once(() => ({
  /**
   * Runs in the release before any link shows it: dependencies, a build. What it creates must be listed in `generated`.
   */
  prepare: step('10m').optional(),
  /** Right before the swap: for example, leave the load balancer. */
  preActivate: step('60s').optional(),
  /** Right after the swap. A reload takes seconds; one that hangs must not hold up the next target for ever. */
  activate: step('60s').optional(),
  /** After this server went back to an earlier release, before that release's activate. */
  onRollback: step('60s').optional(),
  /** After a step or the health checks failed, last of all. */
  onFailure: step('60s').optional(),
  /** Decides whether the release stays. */
  health: health().optional(),
  /** Directories that all releases share: each release gets a link in their place. */
  shared: sharedPaths().prefault([]),
  /** What steps create inside a release, as in .gitignore: neither drift nor cleaned. */
  generated: generated().prefault([]),
}));

/** The steps of one release, from either source; times in ms. */
export type ReleaseSteps = z.infer<z.ZodObject<ReturnType<typeof stepMembers>>>;
export type StepCommand = NonNullable<ReleaseSteps['activate']>;
export type HealthRule = NonNullable<ReleaseSteps['health']>;

/** The member with the command of a step. */
export function commandOf(steps: ReleaseSteps, name: StepName): StepCommand | undefined {
  const member = {
    prepare: steps.prepare,
    'pre-activate': steps.preActivate,
    activate: steps.activate,
    'on-rollback': steps.onRollback,
    'on-failure': steps.onFailure,
  };
  return member[name];
}

/**
 * The server's own settings take precedence over the commit's. A member that only one of them has counts, and lists are
 * merged.
 */
export function combineSteps(own: ReleaseSteps, committed: ReleaseSteps | null): ReleaseSteps {
  if (committed === null) return own;
  const lists = {
    shared: [...new Set([...own.shared, ...committed.shared])],
    generated: [...new Set([...own.generated, ...committed.generated])],
  };
  const names = Object.keys(stepMembers()) as (keyof ReleaseSteps)[];
  const given = Object.fromEntries(names.flatMap((name) => (own[name] === undefined ? [] : [[name, own[name]]])));
  return { ...committed, ...given, ...lists };
}
