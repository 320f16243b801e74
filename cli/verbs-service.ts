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
