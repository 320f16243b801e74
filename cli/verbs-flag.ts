import type { CommandTable } from './command-table.ts';
import { example, shared } from './command-table.ts';

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
