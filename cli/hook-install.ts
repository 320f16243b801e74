import { realpath } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { readFleet } from '../fleet/fleet-view.ts';
import { type HookSettings, publishCommand } from '../hooks/hook-settings.ts';
import { type HookInstalled, installHook } from '../hooks/install.ts';
import { FleetError } from '../runtime/errors.ts';
import { parseRelativePath } from '../schemas/relative-path.ts';
import { ANY_URL } from '../schemas/target.ts';
import { parseUrl } from '../schemas/url.ts';
import { znodes } from '../schemas/znodes.ts';
import { EXIT } from './exit-codes.ts';
import { gitOfHooks, hooksDirectory } from './git-of-hooks.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say, usage, warn } from './terminal.ts';
import { withSession } from './with-session.ts';

/** `gitfleet hook install`: needs no ZooKeeper to succeed; where one answers it says whom a push will reach. */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options);
  const repository = await realpath(resolve(words[0] ?? '.')).catch(() => resolve(words[0] ?? '.'));
  const url = parseUrl((options['url'] as string | undefined) ?? pathToFileURL(repository).href, ANY_URL);
  if (!url.ok) throw new FleetError(url.failure);
  const path = parseRelativePath(String(options['relativePath']));
  if (!path.ok) throw new FleetError(path.failure);
  const branch = (options['branch'] as string | undefined) ?? 'main';
  if (!/^[A-Za-z0-9_][A-Za-z0-9_./-]{0,200}$/.test(branch) || branch.includes('..')) {
    throw usage('--branch wants the plain name of a branch', 'such as main or release/2');
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
  };
  const main = fileURLToPath(new URL('./main.js', import.meta.url));
  const installed = await installHook(gitOfHooks(), repository, hook, [process.execPath, main]);
  if (options['json']) say(JSON.stringify({ ...hook, ...installed }));
  else {
    say(`${installed.file} deploys ${branch} to ${settings.app} at ${path.relativePath}`);
    say(`  agents fetch from ${url.url}`);
    if (url.url.startsWith('file:')) warn('warning: only agents on this machine can fetch that; for others give --url');
  }
  await warnElsewhere(installed);
  await warnAllAtOnce(settings);
  if (!options['json'] && installed.tip) say(`next: git push, or now: ${publishCommand(hook, installed.tip)}`);
  return EXIT.converged;
}

/** Where core.hooksPath is set git passes our file over without a word. */
async function warnElsewhere({ file, gitDir }: HookInstalled): Promise<void> {
  const [asked, ours] = [await hooksDirectory(gitDir), await realpath(dirname(file))];
  if (asked === null || asked === ours) return;
  warn(`warning: core.hooksPath is set, so git looks for hooks in ${asked} and never runs ${file}`);
  warn(`warning: git -C ${gitDir} config core.hooksPath ${ours} makes it look here again`);
}

/** Without a policy a push reaches every server in the same second; whoever installs the hook should know it. */
async function warnAllAtOnce(settings: Awaited<ReturnType<typeof readSettings>>): Promise<void> {
  try {
    await withSession(
      settings,
      async (session) => {
        const paths = znodes(settings.app);
        const [policy, fleet] = await Promise.all([session.get(paths.policy), readFleet(session, paths)]);
        if (!policy) warn(`warning: ${settings.app} is not set up on this ZooKeeper yet: gitfleet init`);
        if (policy && policy.data.length > 0) return;
        const online = fleet.filter((view) => view.presence).length;
        warn(`warning: ${settings.app} has no policy: a push deploys to all ${online} servers at once`);
      },
      5_000,
    );
  } catch {
    warn(`warning: no ZooKeeper of ${settings.zookeeper.connect} answers now, so whom a push will reach is not known`);
    warn('warning: without a policy a push deploys to all servers at once');
  }
}
