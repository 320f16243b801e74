import type { Command } from 'commander';
import { type CommandTable, collect, example, shared } from './command-table.ts';
import { holdSignals } from './shell/signals.ts';

/** The daemon, and what a person does with it on its server. */
export function agentVerbs({ root, verb }: CommandTable): void {
  const agent = root.command('agent').description('the daemon on a server').exitOverride();
  example(
    shared(
      verb(agent, 'run', 'run the agent in the foreground', () => {
        holdSignals();
        return import('./daemon/run.ts');
      }),
    )
      .option('--root <dir>', 'directory below which the links appear')
      .option('--state <dir>', 'directory for the store and the journal of this agent')
      .option('--id <name>', 'agent id, default: the host name')
      .option('--label <key=value>', 'a label of this server; repeatable', collect)
      .option('--allow-url <prefix>', 'a repository prefix that this agent may fetch from; repeatable', collect)
      .option('--activate <program>', 'program to run after each swap (arguments: settings file)')
      .option('--log-format <format>', 'text, json, or auto (default): text on a terminal, else JSON'),
    'gitfleet agent run -z zk1:2181,zk2:2181,zk3:2181 --root /srv/www --state /var/lib/gitfleet --allow-url https://git.example.com/shop',
  );

  const onServer = (command: Command): Command =>
    command
      .option('--user <name>', 'the user that the agent runs as, default gitfleet')
      .option('--prefix <dir>', 'work below this directory instead of /, for images and trials')
      .option('--dry-run', 'only show what would be done');
  example(
    onServer(
      verb(agent, 'install', 'set up this server as the Debian package does', () => import('./server/install.ts')),
    ).description(
      'Sets up this server as the Debian package does: user, directories, settings file, systemd unit, and the polkit' +
        ' rule that allows the agent to restart the units of agent.restart. Run it again after a change of the settings;' +
        ' without a change it does nothing.',
    ),
    'sudo gitfleet agent install',
    'gitfleet agent install --dry-run',
  );
  example(
    onServer(verb(agent, 'uninstall', 'stop the agent and remove its unit', () => import('./server/uninstall.ts')))
      .description('Stops the agent and removes its unit. Settings, state and what is served stay.')
      .option('--purge', 'remove settings and state too; what is served stays'),
    'sudo gitfleet agent uninstall',
  );

  const here = (command: Command): Command =>
    shared(command)
      .option('--root <dir>', 'root of the agent')
      .option('--state <dir>', 'state directory of the agent')
      .option('--id <name>', 'agent id, default: the host name');
  example(
    here(
      verb(
        agent,
        'rollback [commit]',
        'show a kept release again, on this server alone, without any network',
        () => import('./server/rollback.ts'),
      ),
    )
      .option('-m, --message <why>', 'the reason, for the report')
      .option('--activate <program>', 'as for agent run'),
    'gitfleet agent rollback -m "checkout broken here"',
  );
  example(
    here(
      verb(
        agent,
        'suspend',
        'take this server out of every rollout; it keeps what it shows',
        () => import('./server/suspend.ts'),
      ),
    ).requiredOption('-m, --message <why>', 'the reason, for the report'),
    'gitfleet agent suspend -m "new disk"',
  );
  example(
    here(
      verb(
        agent,
        'resume',
        'follow the fleet again after a suspension or a local rollback',
        () => import('./server/resume.ts'),
      ),
    ),
    'gitfleet agent resume',
  );
  example(
    here(
      verb(
        agent,
        'leave',
        'this server goes away for good: nothing waits for it any more',
        () => import('./server/leave.ts'),
      ),
    ).description(
      'For the end of a machine, after its agent was stopped: marks the last report of the agent, so that no rollout and' +
        ' no budget counts it as offline. It is back as soon as its agent runs again. An agent with the label ephemeral' +
        ' does the same whenever it is stopped.',
    ),
    'systemctl stop gitfleet-agent && gitfleet agent leave',
  );
  example(
    here(
      verb(
        agent,
        'adopt <relativePath>',
        'take over a clone, or a release link of Capistrano',
        () => import('./server/adopt.ts'),
      ),
    )
      .description(
        'Takes over a clean clone, or a link as Capistrano makes it. Stop the agent first. A clone is renamed to' +
          ' <relativePath>.before-gitfleet, and the link of gitfleet is renamed into its place: for the instant between' +
          ' these two renames the path does not exist. A link is replaced in one rename. What was there is kept.',
      )
      .option('--url <url>', 'the repository as agents reach it, default: the origin of the clone or mirror')
      .option('--allow-url <prefix>', 'as for agent run', collect)
      .option('-m, --message <why>', 'the reason, shown in agent status'),
    'gitfleet agent adopt shop --url https://git.example.com/shop.git -m "from pull by cron"',
  );
  example(
    here(verb(agent, 'status', 'show the state of this server, from its own disk', () => import('./server/status.ts'))),
    'gitfleet agent status --json',
  );
  example(
    here(verb(agent, 'verify', 'check that what this server shows is its commit', () => import('./server/verify.ts')))
      .description('Checks that what this server shows is its commit. Changes nothing; the agent may run meanwhile.')
      .option('--deep', 'hash every file again, instead of trusting sizes and times'),
    'gitfleet agent verify --deep',
  );
}
