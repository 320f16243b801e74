import type { Command } from 'commander';
import { type CommandTable, example, shared } from './command-table.ts';
import { holdSignals } from './shell/signals.ts';

/** Services: which instances serve what, and where. */
export function serviceVerbs({ root, verb }: CommandTable): void {
  const service = root.command('service').description('register and find the instances of services').exitOverride();
  const cached = (command: Command): Command =>
    command.option('--cache <dir>', 'keep the list there, and use it while ZooKeeper does not answer');
  example(
    shared(
      verb(service, 'register <name>', 'keep a service of this machine registered', () => {
        holdSignals();
        return import('./service/register.ts');
      }),
    )
      .description(
        'Registers a service of this machine while its check is well, until the command is ended. For what gitfleet does' +
          ' not deploy; a service that it deploys belongs into agent.services.',
      )
      .requiredOption('--port <port>', 'the port on which callers reach it')
      .option('--host <host>', 'the host by which callers reach it, default: the only address of this machine')
      .option('--id <name>', 'who registers, default: the host name')
      .option('--check <check>', 'tcp (default), or a url that must answer with a 2xx status'),
    'gitfleet service register shop/web --port 8080 --host web-1.example.com',
  );
  example(
    cached(shared(verb(service, 'list [name]', 'list the instances of a service', () => import('./service/list.ts')))),
    'gitfleet service list',
    'gitfleet service list shop/web --cache /var/cache/shop',
  );
  example(
    cached(shared(verb(service, 'pick <name>', 'print one instance of a service', () => import('./service/pick.ts'))))
      .option('--strategy <how>', 'random (default), or sticky')
      .option('--key <key>', 'of sticky: the same key gives the same instance')
      .option('--commit <id>', 'only instances that serve this commit')
      .option('-l, --selector <labels>', 'only instances with these labels'),
    'curl "http://$(gitfleet service pick shop/web)/"',
  );
  example(
    shared(
      verb(service, 'watch <name>', 'print each change of a list, until Ctrl-C', () => import('./service/watch.ts')),
    ),
    'gitfleet service watch shop/web --json',
  );
  example(
    cached(
      shared(
        verb(service, 'write <name>', 'keep a file or a HAProxy backend at the list', () => {
          holdSignals();
          return import('./service/write.ts');
        }),
      ),
    )
      .description(
        'Keeps a file, or the servers of a HAProxy backend, at the list of a service until the command is ended. What was' +
          ' applied is acknowledged to instances that leave. A file without --reload acknowledges nothing.',
      )
      .option('--format <format>', 'json, haproxy, nginx, envoy or prometheus')
      .option('--out <file>', 'the file')
      .option(
        '--check <command>',
        'judges the new file, whose name is in GITFLEET_FILE, before it replaces the old one',
      )
      .option('--reload <command>', 'has the file read')
      .option(
        '--pid-file <file>',
        'of the program that reads it: waits until its workers from before the reload are gone',
      )
      .option('--haproxy-socket <socket>', "HAProxy's runtime socket, in place of a file")
      .option('--backend <name>', 'the backend in HAProxy'),
    'gitfleet service write shop/web --haproxy-socket /run/haproxy/admin.sock --backend shop',
    'gitfleet service write shop/web --format nginx --out /etc/nginx/shop.conf --reload "nginx -s reload" --pid-file /run/nginx.pid',
  );
  const here = (command: Command): Command =>
    shared(command)
      .option('--root <dir>', 'root of the agent')
      .option('--state <dir>', 'state directory of the agent')
      .option('--id <name>', 'agent id, default: the host name');
  example(
    here(verb(service, 'leave <name>', 'take this server out of a service', () => import('./service/leave.ts')))
      .description(
        'Has the agent of this server leave a service as soon as its floor allows, and stay out until join, restarts' +
          ' included. Exits 4 if the floor does not allow it in time; it leaves all the same once it may.',
      )
      .requiredOption('-m, --message <why>', 'the reason, for the log')
      .option('--timeout <duration>', 'how long to wait, default 60s'),
    'gitfleet service leave shop/web -m "new kernel" && reboot',
  );
  example(
    here(verb(service, 'join <name>', 'put this server back into a service', () => import('./service/join.ts'))),
    'gitfleet service join shop/web',
  );
  example(
    shared(verb(service, 'set <name>', 'set the floor of a service', () => import('./service/set.ts'))).option(
      '--min-available <amount>',
      'how many instances stay at least, such as 2 or 50%',
    ),
    'gitfleet service set shop/web --min-available 75%',
  );
}

/** A command that runs while a lock is held, or while this machine leads. */
export function guardedVerbs({ root, verb }: CommandTable): void {
  example(
    shared(
      verb(root, 'lock <name> <command...>', 'run a command while holding a lock', () => import('./guarded/lock.ts')),
    )
      .description(
        'Waits for the lock, then runs the command. The command gets GITFLEET_FENCE, a number that is larger for each later' +
          ' holder. If the lock is in doubt, the command is ended before another holder can begin, and the exit code is' +
          " 75; otherwise it is the command's. A name without a slash is a znode below /locks.",
      )
      .option('--wait <duration>', 'give up after this time with exit code 6; default: wait as long as it takes'),
    'gitfleet lock stack -- ./update-stack.sh',
    'gitfleet lock --wait 30s /shop/locks/stack -- ./update-stack.sh --quick',
  );
  example(
    shared(
      verb(
        root,
        'elect <name> <command...>',
        'run a command on one machine of several',
        () => import('./guarded/elect.ts'),
      ),
    ).description(
      'Waits until this machine leads, then runs the command. The command gets GITFLEET_FENCE, a number that is larger for' +
        ' each later leader. If the lead is in doubt, the command is ended before another machine can lead, and the exit' +
        " code is 75; otherwise it is the command's. A name without a slash is a znode below /elections.",
    ),
    'gitfleet elect reports -- ./send-reports.sh',
  );
}

/** The flag verbs share a file, as those of the policy do. */
const flagVerb = (verb: 'list' | 'get' | 'set' | 'remove' | 'history' | 'rollback') => async () => ({
  run: (await import('./flags/flag.ts')).flagActions[verb],
});
const valueVerb = (verb: 'get' | 'put' | 'ls' | 'rm' | 'watch') => async () => ({
  run: (await import('./flags/kv.ts')).valueActions[verb],
});

/** Switches for the app's programs, and values that any program may read. */
export function flagVerbs({ root, verb }: CommandTable): void {
  const flag = root
    .command('flag')
    .description('switch features of the whole fleet, without a deployment')
    .exitOverride();
  const why = '-m, --message <why>';
  example(shared(verb(flag, 'list', 'show all flags', flagVerb('list'))), 'gitfleet flag list');
  example(
    shared(verb(flag, 'get <name>', 'show one flag', flagVerb('get'))).option(
      '--key <key>',
      'show what this targeting key gets',
    ),
    'gitfleet flag get checkout',
    'gitfleet flag get checkout --key user-17',
  );
  example(
    shared(verb(flag, 'set <name> <value>', 'set a flag: on, off, a share or a variant', flagVerb('set')))
      .description(
        'Sets a flag for every program of the app: on, off, a share of the targeting keys such as 25%, or the name of a' +
          ' variant. Raising a share takes no key out. A hold does not stop it, and it does not touch what is deployed.',
      )
      .option(why, 'the reason, shown in the history')
      .option('--variants <names>', 'of a new flag that is not on or off, such as red,green,blue'),
    'gitfleet flag set checkout 25% -m "first quarter"',
    'gitfleet flag set payments off -m "the provider is down"',
    'gitfleet flag set colour green --variants red,green,blue',
  );
  example(
    shared(verb(flag, 'remove <name>', 'remove a flag that no program asks for any more', flagVerb('remove'))).option(
      why,
      'the reason',
    ),
    'gitfleet flag remove checkout -m "everyone has it"',
  );
  example(
    shared(verb(flag, 'history', 'show the changes, newest first', flagVerb('history'))).option(
      '-n, --number <count>',
      'at most so many',
      '20',
    ),
    'gitfleet flag history -n 5',
  );
  example(
    shared(verb(flag, 'rollback [change]', 'take a change back, by default the newest', flagVerb('rollback'))).option(
      why,
      'the reason',
    ),
    'gitfleet flag rollback f-12',
  );

  const kv = root.command('kv').description('read and write values of other programs').exitOverride();
  example(shared(verb(kv, 'get <path>', 'print a value', valueVerb('get'))), 'gitfleet kv get /servers/cache/c6/host');
  example(
    shared(verb(kv, 'put <path> <value>', 'write a value, and create the parents that are missing', valueVerb('put')))
      .option('--if-version <n>', 'only if the value still has this version')
      .option('--force', 'overwrite a value that exists, whatever its version'),
    'gitfleet kv put /servers/cache/c6/port 11211',
    'gitfleet kv put /servers/cache/c6/port 11212 --if-version 0',
  );
  example(
    shared(verb(kv, 'ls <path>', 'list the children of a path', valueVerb('ls'))),
    'gitfleet kv ls /servers/cache',
  );
  example(
    shared(verb(kv, 'rm <path>', 'remove a value', valueVerb('rm'))).option('--force', 'remove what is below it, too'),
    'gitfleet kv rm /servers/cache/c6 --force',
  );
  example(
    shared(verb(kv, 'watch <path>', 'print a value and each change', valueVerb('watch'))),
    'gitfleet kv watch /servers/cache/c6/host',
  );
}

/** The server: a page and an API for people and programs that watch. */
export function serveVerb({ root, verb }: CommandTable): void {
  example(
    shared(
      verb(root, 'serve', 'show the fleet on a page, and to programs', () => {
        holdSignals();
        return import('./serve/serve.ts');
      }),
    )
      .description(
        'Serves a page of the fleet and an API until it is ended (docs/serve.md). It only reads: with the credential' +
          ' server.auth it can write nothing that a deployment depends on.',
      )
      .option('--listen <address>', 'a port of loopback, or an address with a port; default 127.0.0.1:9181')
      .option('--token-file <file>', 'the token that clients must present; required beyond loopback')
      .option('--webhooks', 'instead: publish the branches of serve.webhooks when their forge rings (docs/forges.md)'),
    'gitfleet serve -z zk1:2181,zk2:2181,zk3:2181 --auth-file /etc/gitfleet/server.auth',
    'gitfleet serve --listen 10.0.0.5:9181 --token-file /etc/gitfleet/serve.token',
  );
}
