import { CommanderError } from 'commander';
import {
  type Call,
  type CommandTable,
  collect,
  createCommandTable,
  example,
  inGroups,
  refuseOptionsAsValues,
  shared,
  usageOf,
  withoutHelpOfUnknown,
} from './command-table.ts';
import { EXIT } from './shell/exit-codes.ts';
import { sayFailure } from './shell/terminal.ts';
import { agentVerbs } from './verbs-agent.ts';
import { brakeVerbs, deployVerbs, enrolVerb, forgetVerb, publishVerb } from './verbs-deploy.ts';
import { hookVerbs } from './verbs-hook.ts';
import { rolloutVerbs } from './verbs-rollout.ts';
import { flagVerbs, guardedVerbs, serveVerb, serviceVerbs } from './verbs-service.ts';
import { version } from './version.ts';

/**
 * Runs the verb that these words call and resolves to its exit code. Each verb's file is loaded when the verb is
 * called.
 * @param instead replaces a verb's own file, by its full name such as `agent run`: for the entries of tests.
 */
export async function program(
  argv: readonly string[],
  instead: Readonly<Record<string, (call: Call) => Promise<number>>> = {},
): Promise<number> {
  const table = createCommandTable(version, instead);
  const { root } = table;
  // People wait for a push and a publish: registering the other verbs too would cost two milliseconds.
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

/** The whole table, unchanged by any call: completion and the manual are made from it. */
export function wholeTable(): CommandTable {
  const table = createCommandTable(version, {});
  allVerbs(table);
  return table;
}

/** The groups of `gitfleet --help`, by who looks for a verb there, with the order in each. */
const GROUPS: Readonly<Record<string, readonly string[]>> = {
  'First look:': ['demo', 'setup', 'doctor'],
  'Publish:': ['publish', 'plan', 'rollback', 'hold', 'unhold', 'quarantine', 'unquarantine', 'hook'],
  'Watch:': ['status', 'attach', 'history', 'serve'],
  'Rollout:': ['pause', 'resume', 'abort', 'promote', 'retry', 'policy'],
  'Server:': ['agent', 'enrol', 'forget'],
  'ZooKeeper:': ['init', 'zk'],
  'Programs:': ['flag', 'kv', 'service', 'lock', 'elect'],
  'This command:': ['completion', 'version'],
};

function allVerbs(table: CommandTable): void {
  const { root } = table;
  deployVerbs(table);
  rolloutVerbs(table);
  brakeVerbs(table);
  flagVerbs(table);
  agentVerbs(table);
  doctorVerb(table);
  enrolVerb(table);
  forgetVerb(table);
  serviceVerbs(table);
  serveVerb(table);
  hookVerbs(table);
  guardedVerbs(table);
  setUpVerbs(table);
  inGroups(root, GROUPS);
  root.commandsGroup('This command:').helpCommand('help [command]', 'show the help of a command');
}

function doctorVerb({ root, verb }: CommandTable): void {
  example(
    shared(verb(root, 'doctor', 'check what a deployment needs from this machine', () => import('./doctor/doctor.ts')))
      .description(
        'Checks what a deployment needs from this machine, and says what to do about each problem. Changes nothing. With a' +
          ' root, it checks as the agent of this server does. Exits 0 if nothing failed, 1 if something did.',
      )
      .option('--root <dir>', 'root of the agent: check as the agent does')
      .option('--state <dir>', 'state directory of the agent')
      .option('--id <name>', 'agent id, default: the host name')
      .option('--allow-url <prefix>', 'as for agent run', collect)
      .option('--url <url>', 'a repository to try as the agent does, also before anything is published'),
    'gitfleet doctor',
    'gitfleet doctor --url ssh://git@git.example.com/srv/git/shop.git',
    'gitfleet doctor --settings /etc/gitfleet/gitfleet.yml --json',
  );
}

function setUpVerbs({ root, verb }: CommandTable): void {
  example(
    shared(verb(root, 'init', 'create an app in ZooKeeper, with its credentials', () => import('./setup/init.ts')))
      .description(
        'Creates the app znode and what belongs below it, with access rights and a credential file for each role. Can be' +
          ' run again: it keeps what is there, and never changes an existing target.',
      )
      .option('--open', 'for trials: no access rights')
      .option('--close', 'give access rights to an open app: clients without a credential file lose access')
      .option('--plain-flags <znode>', 'show flags that are on or off there, for other programs (docs/flags.md)')
      .option('--credentials <dir>', 'directory of the credential files, default ./gitfleet-credentials')
      .option('--service <name>', 'set up a service with a registrar credential of its own; repeatable', collect),
    'gitfleet init -z zk1:2181,zk2:2181,zk3:2181 --credentials /root/gitfleet-credentials',
    'gitfleet init --open -z 127.0.0.1:2181',
  );
  example(
    verb(root, 'setup [machine]', 'write the first settings file of a machine', () => import('./setup/setup.ts'))
      .description(
        'Asks for what the first settings file of this machine needs, and writes it. MACHINE is server or publisher.' +
          ' What an option gives is not asked; without a terminal, options must give it. A file that exists is not' +
          ' overwritten.',
      )
      .option('--out <file>', 'the settings file, default /etc/gitfleet/gitfleet.yml for root')
      .option('-z, --zookeeper <hosts>', 'connect string, optionally with a chroot')
      .option('--app <znode>', 'the app znode, default /app/business')
      .option('--auth-file <file>', 'credential file made by gitfleet init')
      .option('--root <dir>', 'of a server: directory below which the links appear, default /srv/www')
      .option('--allow-url <prefix>', 'of a server: a repository prefix that it may fetch from; repeatable', collect)
      .option('--id <name>', 'of a server: agent id, default: the host name')
      .option('--label <key=value>', 'of a server: a label; repeatable', collect)
      .option('--url <url>', 'of a publisher: the repository as the agents reach it')
      .option('--relative-path <path>', 'of a publisher: path of the link on each server'),
    'gitfleet setup',
    'gitfleet setup server -z zk1:2181,zk2:2181,zk3:2181 --allow-url https://git.example.com/',
  );
  const zk = root.command('zk').description('start and check ZooKeeper servers').exitOverride();
  example(
    verb(zk, 'up', 'run ZooKeeper servers on loopback until Ctrl-C, for trials', () => import('./zk/up.ts'))
      .option('--servers <count>', '1 or 3', '1')
      .option('--port <port>', 'client port of the first server, default: any free one'),
    'gitfleet zk up --servers 3',
  );
  example(
    shared(verb(zk, 'status', 'show the role of each server', () => import('./zk/status.ts'))),
    'gitfleet zk status -z zk1,zk2,zk3',
  );
  example(
    verb(
      root,
      'demo',
      'run a whole fleet on this machine, from the first push to a rollback',
      () => import('./setup/demo.ts'),
    ).option('--exit', 'end after the last step'),
    'npm run demo -- --exit',
  );
  example(
    verb(root, 'completion <shell>', 'print the completion for bash, zsh or fish', async () => {
      const { completion } = await import('./manual/completion.ts');
      return { run: (call) => completion(wholeTable().root, call) };
    }).description(
      'Prints what a shell reads to complete verbs, options and values: bash, zsh or fish. The Debian package brings it' +
        ' along. It does not ask ZooKeeper.',
    ),
    'source <(gitfleet completion bash)',
    'gitfleet completion zsh > /usr/local/share/zsh/site-functions/_gitfleet',
    'gitfleet completion fish > ~/.config/fish/completions/gitfleet.fish',
  );
  example(
    verb(root, 'version', 'print the version', () => import('./manual/version.ts')).option(
      '--json',
      'with the versions of Node and git, and the commit that was built',
    ),
    'gitfleet version',
    'gitfleet version --json',
  );
}
