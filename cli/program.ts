import { CommanderError } from 'commander';
import {
  type Call,
  type CommandTable,
  collect,
  createCommandTable,
  example,
  refuseOptionsAsValues,
  shared,
  usageOf,
  withoutHelpOfUnknown,
} from './command-table.ts';
import { EXIT } from './shell/exit-codes.ts';
import { sayFailure } from './shell/terminal.ts';
import { agentVerbs } from './verbs-agent.ts';
import { deployVerbs, publishVerb } from './verbs-deploy.ts';
import { hookVerbs } from './verbs-hook.ts';
import { rolloutVerbs } from './verbs-rollout.ts';
import { version } from './version.ts';

/**
 * The command table.
 * @param instead run in place of a verb's own file, by its full name such as `agent run`: for the entries of tests.
 */
export async function program(
  argv: readonly string[],
  instead: Readonly<Record<string, (call: Call) => Promise<number>>> = {},
): Promise<number> {
  const table = createCommandTable(version, instead);
  const { root } = table;
  // A push and a publish are waited for: to make the other verbs too would take them two milliseconds.
  if (argv[0] === 'publish' || argv[0] === 'deploy') publishVerb(table);
  else if (argv[0] === 'hook') hookVerbs(table);
  else allVerbs(table);

  refuseOptionsAsValues(root, argv);
  const words = withoutHelpOfUnknown(root, argv);
  try {
    await root.parseAsync([...words], { from: 'user' });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) return EXIT.converged;
    const wrong = usageOf(error, root, words);
    return wrong ? sayFailure(wrong, argv.includes('--json')) : EXIT.usage;
  }
  return table.exitCode;
}

function allVerbs(table: CommandTable): void {
  const { root, verb } = table;

  example(
    shared(verb(root, 'init', 'make the app znode and what belongs under it; repeatable', () => import('./init.ts')))
      .option('--open', 'for trials: a ZooKeeper without access rights')
      .option('--close', 'give rights to an app that is open: who has no credential file then is shut out')
      .option('--credentials <dir>', 'where the credential files are or will be, default ./gitfleet-credentials'),
    'gitfleet init -z zk1:2181,zk2:2181,zk3:2181 --credentials /root/gitfleet-credentials',
    'gitfleet init --open -z 127.0.0.1:2181',
  );

  agentVerbs(table);
  deployVerbs(table);
  rolloutVerbs(table);

  hookVerbs(table);

  example(
    shared(
      verb(
        root,
        'doctor',
        'check what a deployment needs from this machine, and say what to do',
        () => import('./doctor/doctor.ts'),
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
    verb(zk, 'up', 'run ZooKeeper servers on loopback until Ctrl-C, for trials', () => import('./zk/up.ts'))
      .option('--servers <count>', '1 or 3', '1')
      .option('--port <port>', 'client port of the first server, default: any free one'),
    'gitfleet zk up --servers 3',
  );
  example(
    shared(verb(zk, 'status', "each server's role", () => import('./zk/status.ts'))),
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
}
