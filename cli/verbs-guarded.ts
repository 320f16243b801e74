import { type CommandTable, example, shared } from './command-table.ts';

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
