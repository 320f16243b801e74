import { systemClock as clock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { agentSettings, type Settings } from '../../schemas/settings/settings.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say } from '../shell/terminal.ts';
import { checkCoordination } from './coordination.ts';
import { type Finding, findingLines, fromError, ok } from './finding.ts';
import { checkGround } from './ground.ts';
import { checkOrigins } from './origins.ts';
import { checkGit, checkNode } from './programs.ts';

/**
 * `gitfleet doctor`: looks at everything a deployment needs from this machine, names what is wrong and says what to
 * do. It changes nothing. Where the settings have a root it looks with an agent's eyes too; elsewhere (a git host, a
 * publisher) at programs and ZooKeeper only. Exits 0 when nothing failed, 1 when something did, 2 on bad settings.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  const sandbox = { clock, log: createLog({ level: 'silent' }), path: process.env['PATH'] };
  const [git, coordination] = await Promise.all([checkGit(sandbox), checkCoordination(settings)]);
  const server = isServer(settings)
    ? await Promise.all([
        checkGround(settings, clock).catch((error: unknown) => [fromError('ground', error)]),
        checkOrigins(agentSettings(settings), coordination.target, sandbox, clock),
      ])
    : [[ok('root', 'agent.root is not set: this machine is looked at as a publisher')]];
  const findings: Finding[] = [checkNode(process.versions.node), git, ...coordination.findings, ...server.flat()];
  if (options['json']) for (const finding of findings) say(JSON.stringify(finding));
  else say(...findingLines(`${settings.agent.id}, app ${settings.app} on ${settings.zookeeper.connect}`, findings));
  return findings.some(({ verdict }) => verdict === 'fail') ? EXIT.failed : EXIT.converged;
}

const isServer = (settings: Settings): settings is Settings & { agent: { root: string } } =>
  settings.agent.root !== undefined;
