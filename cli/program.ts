import { readFileSync } from 'node:fs';
import { type Command, CommanderError } from 'commander';
import {
  type Call,
  createCommandTable,
  example,
  refuseOptionsAsValues,
  shared,
  usageOf,
  withoutHelpOfUnknown,
} from './command-table.ts';
import { EXIT } from './exit-codes.ts';
import { holdSignals } from './signals.ts';
import { fail } from './terminal.ts';
import { deployVerbs } from './verbs-deploy.ts';
import { hookVerbs } from './verbs-hook.ts';
import { rolloutVerbs } from './verbs-rollout.ts';

export type { Call };

export const version: string = (
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }
).version;

const collect = (value: string, before: string[] | undefined): string[] => [...(before ?? []), value];

/**
 * The command table.
 * @param instead run in place of a verb's own file, by its full name such as `agent run`: for the entries of tests.
 */
export async function program(
  argv: readonly string[],
  instead: Readonly<Record<string, (call: Call) => Promise<number>>> = {},
): Promise<number> {
  const table = createCommandTable(version, instead);
  const { root, verb } = table;

  example(
    shared(verb(root, 'init', 'make the app znode and what belongs under it; repeatable', () => import('./init.ts')))
      .option('--open', 'for trials: a ZooKeeper without access rights')
      .option('--close', 'give rights to an app that is open: who has no credential file then is shut out')
      .option('--credentials <dir>', 'where the credential files are or will be, default ./gitfleet-credentials'),
    'gitfleet init -z zk1:2181,zk2:2181,zk3:2181 --credentials /root/gitfleet-credentials',
    'gitfleet init --open -z 127.0.0.1:2181',
  );

  const agent = root.command('agent').description('the daemon on a server').exitOverride();
  example(
    shared(
      verb(agent, 'run', 'run the agent in the foreground', () => {
        holdSignals();
        return import('./agent-run.ts');
      }),
    )
      .option('--root <dir>', 'below it the links appear')
      .option('--state <dir>', 'the store and the journal of this agent')
      .option('--id <name>', 'agent id, default the host name')
      .option('--label <key=value>', 'a label of this server, repeatable', collect)
      .option('--allow-url <prefix>', 'a repository prefix this agent may fetch from, repeatable', collect)
      .option('--activate <program>', 'program to run after each swap (arguments: in the settings file)'),
    'gitfleet agent run -z zk1:2181,zk2:2181,zk3:2181 --root /srv/www --state /var/lib/gitfleet --allow-url https://git.example.com/shop',
  );

  const onServer = (command: Command): Command =>
    command
      .option('--user <name>', 'the user that the agent runs as, default gitfleet')
      .option('--prefix <dir>', 'work below this directory instead of /, for images and trials')
      .option('--dry-run', 'only say what would be done');
  example(
    onServer(
      verb(
        agent,
        'install',
        'make of this server what the Debian package would: user, directories, settings file, unit, and the leave to' +
          ' restart the units of agent.restart; repeatable, also after a change of the settings',
        () => import('./agent-install.ts'),
      ),
    ),
    'sudo gitfleet agent install',
    'gitfleet agent install --dry-run',
  );
  example(
    onServer(
      verb(
        agent,
        'uninstall',
        'stop the agent and take away its unit; settings, state and what is served stay',
        () => import('./agent-uninstall.ts'),
      ),
    ).option('--purge', 'remove settings and state too; what is served stays'),
    'sudo gitfleet agent uninstall',
  );

  const here = (command: Command): Command =>
    shared(command)
      .option('--root <dir>', 'root of the agent')
      .option('--state <dir>', 'state directory of the agent')
      .option('--id <name>', 'agent id, default the host name');
  example(
    here(
      verb(
        agent,
        'rollback [commit]',
        'show a kept release again, on this server alone, without any network',
        () => import('./agent-rollback.ts'),
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
        () => import('./agent-suspend.ts'),
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
        () => import('./agent-resume.ts'),
      ),
    ),
    'gitfleet agent resume',
  );
  example(
    here(
      verb(
        agent,
        'adopt <relativePath>',
        'take over a clean clone, or a link as Capistrano makes it; the agent must be stopped. A clone is renamed to' +
          ' <relativePath>.before-gitfleet and our link renamed into its place: for the instant between these two' +
          ' renames the path does not exist. A link is replaced in one rename. What was there is kept',
        () => import('./agent-adopt.ts'),
      ),
    )
      .option('--url <url>', 'the repository as agents reach it, default: what the clone, or the mirror, has as origin')
      .option('--allow-url <prefix>', 'as for agent run', collect)
      .option('-m, --message <why>', 'the reason, for agent status'),
    'gitfleet agent adopt shop --url https://git.example.com/shop.git -m "from pull by cron"',
  );
  example(
    here(verb(agent, 'status', 'how this server stands, from its own disk', () => import('./agent-status.ts'))),
    'gitfleet agent status --json',
  );
  example(
    here(
      verb(
        agent,
        'verify',
        'whether what this server shows is its commit; changes nothing, and an agent may run',
        () => import('./agent-verify.ts'),
      ),
    ).option('--deep', 'hash every file again, instead of trusting sizes and times'),
    'gitfleet agent verify --deep',
  );
  deployVerbs(table);
  rolloutVerbs(table);

  hookVerbs(table);

  example(
    shared(
      verb(
        root,
        'doctor',
        'check what a deployment needs from this machine, and say what to do',
        () => import('./doctor.ts'),
      ),
    )
      .option('--root <dir>', 'root of the agent: looks with its eyes too')
      .option('--state <dir>', 'state directory of the agent')
      .option('--id <name>', 'agent id, default the host name')
      .option('--allow-url <prefix>', 'as for agent run', collect),
    'gitfleet doctor',
    'gitfleet doctor --settings /etc/gitfleet/gitfleet.yml --json',
  );

  const zk = root.command('zk').description('ZooKeeper servers').exitOverride();
  example(
    verb(zk, 'up', 'run ZooKeeper servers on loopback until Ctrl-C, for trials', () => import('./zk-up.ts'))
      .option('--servers <count>', '1 or 3', '1')
      .option('--port <port>', 'client port of the first server, default: any free one'),
    'gitfleet zk up --servers 3',
  );
  example(
    shared(verb(zk, 'status', "each server's role", () => import('./zk-status.ts'))),
    'gitfleet zk status -z zk1,zk2,zk3',
  );

  example(
    verb(
      root,
      'demo',
      'a whole fleet on this machine, from the first push to a rollback',
      () => import('./demo.ts'),
    ).option('--exit', 'end after the show'),
    'npm run demo -- --exit',
  );

  refuseOptionsAsValues(root, argv);
  const words = withoutHelpOfUnknown(root, argv);
  try {
    await root.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.converged;
    const wrong = usageOf(error, root, words);
    return wrong ? fail(wrong, argv.includes('--json')) : EXIT.usage;
  }
  return table.exitCode;
}
