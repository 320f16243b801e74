import { systemClock as clock } from '../../runtime/clock.ts';
import { FleetError } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { agentSettings, type Settings } from '../../schemas/settings/settings.ts';
import { ANY_URL, type Target } from '../../schemas/target.ts';
import { parseUrl } from '../../schemas/url.ts';
import type { RepositoryUrl } from '../../schemas/values.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readOrigins, readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { checkCoordination } from './coordination.ts';
import { checkFiles, settingsFindings } from './files.ts';
import { type Finding, findingLines, fromError, ok } from './finding.ts';
import { checkGround } from './ground.ts';
import { checkOrigins } from './origins.ts';
import { checkGit, checkNode } from './programs.ts';
import { checkServe } from './serve.ts';
import { lookAsAgent } from './user.ts';

/**
 * `gitfleet doctor`: checks everything that a deployment needs from this machine, names what is wrong and says what to
 * do. It changes nothing. If the settings have a root, it checks as the agent of this server, with the agent's user;
 * if they say something about `gitfleet serve`, it checks as that; otherwise (a git host, a publisher) only programs and
 * ZooKeeper. Exits 0 if nothing failed, 1 if something did, 2 on
 * bad settings.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  const { origins, file } = readOrigins(options);
  const serves = origins.some(({ setting }) => setting.startsWith('serve.'));
  const user = isServer(settings) ? [await lookAsAgent(agentSettings(settings), file)] : [];
  const sandbox = { clock, log: createLog({ level: 'silent' }), path: process.env['PATH'] };
  const [git, coordination] = await Promise.all([checkGit(sandbox), checkCoordination(settings, serves)]);
  const server = isServer(settings)
    ? await Promise.all([
        checkGround(settings, clock).catch((error: unknown) => [fromError('ground', error)]),
        checkFiles(settings, file),
        checkOrigins(agentSettings(settings), repositoriesOf(options, coordination.target), sandbox, clock),
      ])
    : serves
      ? [await checkServe(settings.serve)]
      : [[ok('root', 'agent.root is not set: this machine is looked at as a publisher')]];
  const here = [...settingsFindings(origins, file), ...user, checkNode(process.versions.node), git];
  const findings: Finding[] = [...here, ...coordination.findings, ...server.flat()];
  if (options['json']) for (const finding of findings) sayJson(finding);
  else say(...findingLines(`${settings.agent.id}, app ${settings.app} on ${settings.zookeeper.connect}`, findings));
  return findings.some(({ verdict }) => verdict === 'fail') ? EXIT.failed : EXIT.converged;
}

/** The repositories to try as the agent does: the one named with --url, and that of the current target. */
function repositoriesOf({ url }: Call['options'], target: Target | null): RepositoryUrl[] {
  const named = url === undefined ? null : parseUrl(String(url), ANY_URL);
  if (named && !named.ok) throw new FleetError(named.failure);
  return [...new Set([...(named?.ok ? [named.url] : []), ...(target ? [target.url] : [])])];
}

const isServer = (settings: Settings): settings is Settings & { agent: { root: string } } =>
  settings.agent.root !== undefined;
