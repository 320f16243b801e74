import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { readFleet } from '../../fleet/fleet-view.ts';
import { parseConfig } from '../../fleet/shared-state.ts';
import { isBranchPattern } from '../../hooks/branch-pattern.ts';
import { type Gate, type HookSettings, publishCommand } from '../../hooks/hook-settings.ts';
import { installHook } from '../../hooks/install.ts';
import { placeLines } from '../../publisher/screens/change-lines.ts';
import { FleetError } from '../../runtime/errors.ts';
import { parseRelativePath } from '../../schemas/relative-path.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { ANY_URL } from '../../schemas/target.ts';
import { parseUrl } from '../../schemas/url.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage, warn } from '../shell/terminal.ts';
import { elsewhere, gitOfHooks, hookCommand, namedRepository, notTheReceiver } from './environment.ts';

/** `gitfleet hook install`: succeeds without ZooKeeper. If ZooKeeper answers, it says which agents a push reaches. */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options);
  const repository = await namedRepository(words[0]);
  const url = parseUrl((options['url'] as string | undefined) ?? pathToFileURL(repository).href, ANY_URL);
  if (!url.ok) throw new FleetError(url.failure);
  const path = parseRelativePath(String(options['relativePath']));
  if (!path.ok) throw new FleetError(path.failure);
  const branch = (options['branch'] as string | undefined) ?? 'main';
  if (!isBranchPattern(branch)) {
    throw usage('--branch must be a plain branch name or a pattern', "such as main, release/2 or 'release/*'");
  }
  const { authFile, tls } = settings.zookeeper;
  const hook: HookSettings = {
    zookeeper: settings.zookeeper.connect,
    app: settings.app,
    branch,
    relativePath: path.relativePath,
    url: url.url,
    authFile: authFile ?? null,
    settings: options['settings'] === undefined ? null : resolve(String(options['settings'])),
    tlsCaFile: tls?.caFile ?? null,
    tlsCertFile: tls?.certFile ?? null,
    tlsKeyFile: tls?.keyFile ?? null,
    signKey: settings.publisher.signKey ?? null,
    audience: settings.publisher.signKey === undefined ? null : (settings.publisher.audience ?? null),
    bundle: bundleOf(settings),
    gate: gateOption(options['gate']),
  };
  const installed = await installHook(gitOfHooks(), repository, hook, hookCommand());
  if (options['json']) sayJson({ ...hook, ...installed });
  else {
    const gated = hook.gate === null ? '' : `, behind a ${hook.gate} gate`;
    say(`${installed.file} deploys ${branch} to ${settings.app} at ${path.relativePath}${gated}`);
    say(`  agents fetch from ${url.url}`);
    say(
      hook.signKey === null
        ? '  signs nothing, so agents can require no signature; to sign: --sign-key FILE --audience NAME (docs/security.md)'
        : `  signs with ${hook.signKey} for ${hook.audience}`,
    );
    if (hook.bundle !== null) say(`  puts small changes into ZooKeeper for the agents (${hook.bundle})`);
    for (const change of installed.changes) say(`  ${change}`);
    if (installed.changes.length === 0) say('  nothing changed: already installed in this way');
    if (url.url.startsWith('file:'))
      warn('warning: only agents on this machine can fetch from there; for others give --url');
  }
  await warnReceiver(installed.gitDir);
  warnTwoPlaces(hook, installed.hooks);
  for (const found of await elsewhere(installed.gitDir)) warn(`warning: ${found}`);
  await warnWhatAPushDoes(settings, hook);
  if (!options['json'] && installed.tip) say(`next: git push, or now: ${publishCommand(hook, installed.tip)}`);
  return EXIT.converged;
}

const bundleOf = ({ publisher }: Settings): HookSettings['bundle'] =>
  publisher.bundle ? (publisher.bundleInClear ? 'in-clear' : 'tls') : null;

function gateOption(option: unknown): Gate | null {
  if (option === undefined) return null;
  const gate = option === true ? 'lenient' : option;
  if (gate !== 'lenient' && gate !== 'strict') {
    throw usage(
      `--gate must be lenient or strict, not ${String(option)}`,
      'write --gate=strict, or the repository before --gate',
    );
  }
  return gate;
}

async function warnReceiver(gitDir: string): Promise<void> {
  const why = await notTheReceiver(gitDir);
  if (why) warn(`warning: ${why}: run this as the user that receives the pushes there`);
}

/** An app has one target, so each push of the other branch would move it to another place. */
function warnTwoPlaces(hook: HookSettings, hooks: readonly HookSettings[]): void {
  const others = hooks.filter(({ app, relativePath }) => app === hook.app && relativePath !== hook.relativePath);
  for (const { branch, relativePath } of others) {
    warn(`warning: ${branch} deploys ${hook.app} to ${relativePath}: an app is only where it was deployed last`);
  }
}

/** The app may be created later. Or another name was meant, and each push would deploy to both. */
function warnNoApp(app: string): void {
  warn(`warning: ${app} is not set up on this ZooKeeper yet: gitfleet init --app ${app}`);
  warn(`warning: if you meant another app, remove this one again: gitfleet hook uninstall --app ${app}`);
}

/** The app may currently show another repository, which the first push here replaces. */
function warnTakesOver(config: Buffer, hook: HookSettings): void {
  const { target } = parseConfig(config);
  const moves = target ? placeLines(target, hook) : [];
  if (moves.length > 0) warn(`warning: a push here replaces what ${hook.app} shows now:`, ...moves);
}

/** A push may replace another repository, and without a policy it reaches every server in the same second. */
async function warnWhatAPushDoes(settings: Settings, hook: HookSettings): Promise<void> {
  try {
    await withSession(
      settings,
      async (session) => {
        const paths = znodes(settings.app);
        const nodes = [session.get(paths.policy), session.get(paths.config)] as const;
        const [policy, config, fleet] = await Promise.all([...nodes, readFleet(session, paths)]);
        if (config) warnTakesOver(config.data, hook);
        if (!policy) warnNoApp(settings.app);
        if (policy && policy.data.length > 0) return;
        const online = fleet.filter((view) => view.presence).length;
        const whom = online === 0 ? 'all servers at once; none is online now' : `all ${online} servers at once`;
        warn(`warning: ${settings.app} has no policy: a push deploys to ${whom}`);
      },
      5_000,
    );
  } catch {
    warn(
      `warning: no ZooKeeper of ${settings.zookeeper.connect} answers, so the agents that a push reaches are unknown`,
    );
    warn('warning: without a policy a push deploys to all servers at once');
  }
}
