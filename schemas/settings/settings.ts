import * as z from 'zod';
import { FleetError } from '../../runtime/errors.ts';
import { once } from '../../runtime/once.ts';
import { stepMembers } from '../steps.ts';
import { zodMessages } from '../text/zod-messages.ts';
import { AGENT_ID, APP_ZNODE } from '../znodes.ts';
import { serveSection } from './serve-settings.ts';
import { serviceFiles, services } from './service-settings.ts';
import {
  audience,
  connectString,
  credential,
  duration,
  isLoopback,
  labels,
  listenAddress,
  notThis,
  path,
  serviceUnit,
  urlPrefix,
  verifyRules,
} from './setting-values.ts';
import { sayProblems } from './settings-problems.ts';

/** auto: text on a terminal, JSON elsewhere. */
const LOG_FORMATS = ['auto', 'text', 'json'] as const;
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

const members = {
  zookeeper: z
    .strictObject({
      /** No default: an agent that waits for the wrong ensemble looks healthy and deploys nothing. */
      connect: connectString(),
      /**
       * Long enough that the restart of a server costs no presence, short enough that a watching person sees an agent
       * die.
       */
      sessionTimeout: duration('15s', { least: '2s', most: '5m' }),
      /** The credential for ZooKeeper. Absent: none, which is enough if `init --open` made the app. */
      authFile: path().optional(),
      /** Absent: plain TCP. */
      tls: z
        .strictObject({ caFile: path().optional(), certFile: path().optional(), keyFile: path().optional() })
        .refine(
          (tls) => (tls.certFile === undefined) === (tls.keyFile === undefined),
          'must have certFile and keyFile together',
        )
        .optional(),
    })
    .prefault({} as { connect: string }),
  /** The znode of the first users; other apps have names of their own. */
  app: z.string().regex(APP_ZNODE, notThis('must be a znode such as /app/business')).prefault('/app/business'),
  coordinator: z
    .strictObject({
      /** Whether this agent may lead rollouts. One of a few candidates is elected. */
      candidate: z.boolean({ error: 'must be true or false' }).prefault(true),
      /**
       * The coordinator's credential. Absent: this agent is a candidate only if the app was made with `init --open`.
       */
      authFile: path().optional(),
    })
    .prefault({}),
  publisher: z
    .strictObject({
      /** Absent: from the upstream or the origin of the current clone. */
      url: z.string().optional(),
      /** Absent: that of the current target. */
      relativePath: z.string().optional(),
      /** Longer than a fleet with a slow origin takes, short enough for a person to wait. */
      timeout: duration('5m', { least: '1s' }),
      /** Signs targets: a private key, or the public half of one that ssh-agent holds. Absent: nothing is signed. */
      signKey: path().optional(),
      /** Whom signed targets are for. No default: what is signed for one installation must be worth nothing at another. */
      audience: audience().optional(),
      /** Whether the objects of a small change go into ZooKeeper, for agents with `objects: signed`. */
      bundle: z.boolean({ error: 'must be true or false' }).prefault(false),
      /** Also over a connection that anyone on the way can read. */
      bundleInClear: z.boolean({ error: 'must be true or false' }).prefault(false),
    })
    .refine(
      ({ bundle, signKey }) => !bundle || signKey !== undefined,
      'bundle needs signKey: agents take the objects of signed targets alone',
    )
    .refine(
      ({ signKey, audience: whom }) => signKey === undefined || whom !== undefined,
      'signKey needs audience: the name in agent.verify.audience of the agents (--audience NAME)',
    )
    .prefault({}),
  log: z
    .strictObject({ level: z.enum(LOG_LEVELS).prefault('info'), format: z.enum(LOG_FORMATS).prefault('auto') })
    .prefault({}),
};

const agent = once(() =>
  z
    .strictObject({
      /** Default: the host name. */
      id: z.string().regex(AGENT_ID, 'must be a plain name: letters, digits and . _ -, at most 100'),
      /** No default: its content gets served, so a person must name it. */
      root: path().optional(),
      /** The place of a daemon's data in the file system hierarchy. */
      state: path().prefault('/var/lib/gitfleet'),
      labels: labels(),
      /** None by default: the writer of a target must not be able to choose what this server runs. */
      allowUrls: z.array(urlPrefix()).prefault([]),
      /** What a target needs beside an allowed url. Off: who writes `config` chooses the commit. */
      verify: verifyRules(),
      /** Where the objects of a signed target may come from: its repository alone, or also what ZooKeeper has. */
      objects: z.enum(['origin', 'signed'], { error: 'must be origin or signed' }).prefault('origin'),
      credentials: z
        .array(credential())
        .refine((all) => new Set(all.map((each) => each.prefix)).size === all.length, 'names one prefix twice')
        .prefault([]),
      ...stepMembers(),
      /** Services that systemd restarts after each swap, after the activate command. */
      restart: z
        .array(serviceUnit())
        .max(20)
        .refine((units) => new Set(units).size === units.length, 'names one unit twice')
        .prefault([]),
      /** For all of them together: services take time to stop. */
      restartTimeout: duration('2m', { least: '1s' }),
      /** The services of this server, registered while they are well. */
      services: services(),
      /** Lists of services in files, for the programs of this server. */
      serviceFiles: serviceFiles(),
      /** Variables of the agent's own environment that steps get too; they get nothing else of it. */
      passEnvironment: z
        .array(z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,99}$/, 'must be names of variables'))
        .prefault([]),
      /** Off by default: a pusher must not be able to choose what this server runs. */
      allowRepositorySteps: z.boolean({ error: 'must be true or false' }).prefault(false),
      /** Releases that ended well, the active one included: rollbacks to them need no network. */
      keepReleases: z.int().min(1).max(1_000).prefault(5),
      /** Failed releases, kept for diagnosis. */
      keepFailedReleases: z.int().min(0).max(1_000).prefault(2),
      /** How long processes that still run from an older release can read it. */
      releaseGrace: duration('1h'),
      /** A watch may be lost in unforeseen ways. A target is then late by this time, but not lost. Spread by 20 %. */
      resyncInterval: duration('60s', { least: '1s', most: '1h' }),
      /** How often the whole active tree is compared with its commit, which reads the state of every file. */
      verifyInterval: duration('10m', { least: '1s' }),
      /** Drift is reported; `heal` also restores the files. An application that writes there loses its changes. */
      drift: z.enum(['observe', 'heal']).prefault('observe'),
      /** What a commit may contain. Submodules would deploy as empty directories, and LFS files as pointers. */
      content: z
        .strictObject({
          submodules: z.enum(['refuse', 'ignore']).prefault('refuse'),
          lfs: z.enum(['refuse', 'pointers']).prefault('refuse'),
          /** `contained`: relative links that stay inside the release. */
          symlinks: z.enum(['contained', 'forbid', 'allow']).prefault('contained'),
          /** Files and directories of a commit. Each costs memory and time on every server. */
          maxEntries: z.int().min(1).max(10_000_000).prefault(200_000),
        })
        .prefault({}),
      /** Where /healthz, /metrics, flags and services are served. Absent: nowhere. */
      listen: listenAddress(1).optional(),
      /** The token that a client of `listen` must present. Required beyond loopback. */
      listenTokenFile: path().optional(),
      /** How many agents of the whole fleet may use the origin at a time: git servers limit their connections. */
      fetchLeases: z
        .union([z.int().min(1).max(10_000), z.literal('off')], { error: 'must be a whole number from 1, or off' })
        .prefault(16),
      fetch: z
        .strictObject({
          /** A fetch without progress is ended and retried; a slow one that makes progress is left alone. */
          stallTimeout: duration('30s', { least: '1s' }),
          timeout: duration('15m', { least: '1s' }),
        })
        .prefault({}),
    })
    .refine(
      ({ objects, verify }) => objects === 'origin' || verify.target === 'required',
      'objects: signed needs verify.target: required, because only a signature proves what did not come from the origin',
    )
    .refine((agent) => agent.root !== agent.state, 'root and state must be two different directories')
    .refine(
      ({ listen, listenTokenFile }) => listen === undefined || listenTokenFile !== undefined || isLoopback(listen.host),
      'listen is reachable from other machines, so listenTokenFile is required',
    )
    .refine((agent) => agent.root !== '/' && agent.state !== '/', 'root and state must be below /'),
);

/**
 * Every setting of agent, publisher and server, with its default and the reason for it. docs/settings.md shows the same with
 * examples, and a test compares the two. Secrets are never settings, only the names of the files with them.
 * settings-sources.ts says where a value comes from (flag, variable, file).
 */
export const settings = once(() => z.strictObject({ ...members, agent: agent(), serve: serveSection() }));
const withoutServe = once(() => z.strictObject({ ...members, agent: agent() }));
const withoutBoth = once(() => z.strictObject(members));

export type Settings = z.infer<ReturnType<typeof settings>>;
export type AgentSettings = Settings['agent'] & { readonly root: string };

/**
 * Judges what settings-sources.ts merged. If nothing is said about the agent or the server, their defaults are made when
 * they are first used.
 * @param hostName the default of agent.id.
 * @throws FleetError SETTINGS naming every setting that is wrong or unknown, and the nearest known one.
 */
export function parseSettings(merged: Readonly<Record<string, unknown>>, hostName: string): Settings {
  const isSaid = (section: 'agent' | 'serve') => merged[section] !== undefined;
  if (isSaid('serve')) return parseAll(merged, hostName);
  const rest = isSaid('agent') ? null : withoutBoth().safeParse(merged);
  const withAgent = () => withoutServe().safeParse(withId(merged, hostName), { error: zodMessages });
  const parsed = rest?.success ? rest : withAgent();
  const whole = once(() => parseAll(merged, hostName));
  if (!parsed.success) return whole();
  const data: Omit<Settings, 'agent' | 'serve'> & Partial<Pick<Settings, 'agent'>> = parsed.data;
  return {
    ...data,
    get agent() {
      return data.agent ?? whole().agent;
    },
    get serve() {
      return whole().serve;
    },
  };
}

function parseAll(merged: Readonly<Record<string, unknown>>, hostName: string): Settings {
  const parsed = settings().safeParse(withId(merged, hostName), { error: zodMessages });
  if (!parsed.success) throw sayProblems(settings(), parsed.error.issues);
  return parsed.data;
}

function withId(merged: Readonly<Record<string, unknown>>, hostName: string): Record<string, unknown> {
  const said = merged['agent'] ?? {};
  return { ...merged, agent: isRecord(said) ? { ...said, id: said['id'] ?? hostName } : said };
}

/** What an agent needs in addition to what every program needs. @throws FleetError SETTINGS */
export function agentSettings({ agent }: Settings): AgentSettings {
  const { root } = agent;
  if (root !== undefined) return { ...agent, root };
  throw FleetError.of(
    'SETTINGS',
    'agent.root is missing: below it the links to the releases appear',
    'give --root DIR, GITFLEET_ROOT or agent.root in the settings file',
  );
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
