import type { Command } from 'commander';
import { type CommandTable, example, shared } from './command-table.ts';

/** By itself too: of what is waited for, it alone is made. */
export function publishVerb({ root, verb }: Pick<CommandTable, 'root' | 'verb'>): void {
  example(
    waiting(
      targeting(
        shared(
          verb(root, 'publish [rev]', 'make a commit what the whole fleet shows', () => import('./deploy/publish.ts')),
        )
          .alias('deploy')
          .description(
            'Makes a commit what the whole fleet shows. REV is a branch, a tag, a short or a full id; without it, HEAD.' +
              " In a clone the repository is its origin, and the place on the servers is the present target's. With" +
              ' --url, --relative-path and a full id no clone is needed. The repository is asked whether it has the' +
              ' commit before anything is written.',
          ),
      ),
    ).option('--force', 'lift the quarantine of this commit, with -m WHY; a hold stays'),
    'gitfleet publish main -m "new checkout"',
    'gitfleet publish --url https://git.example.com/shop.git --relative-path shop <full commit id>',
  );
}

/** The verbs of whoever deploys and of whoever is on call. */
export function deployVerbs({ root, verb }: CommandTable): void {
  publishVerb({ root, verb });
  example(
    targeting(
      shared(verb(root, 'plan [rev]', 'what publish would do, and what stops it', () => import('./deploy/plan.ts'))),
    )
      .description(
        'Finds out what publish would do, the same way, and writes nothing: what changes, who would take part, who is' +
          ' offline, and what stops it.',
      )
      .option('--force', 'as for publish')
      .option('--exit-code', 'exit 1 where the target would change'),
    'gitfleet plan main',
    'gitfleet plan --exit-code v1.2 || gitfleet publish v1.2',
  );
  example(
    followable(
      shared(verb(root, 'attach [deployment]', 'follow a deployment again', () => import('./deploy/attach.ts'))),
    ).description(
      'Follows a deployment again, the present one where none is named, with the exit codes of publish. One that' +
        ' something newer replaced has ended: its record says how.',
    ),
    'gitfleet attach',
    'gitfleet attach d-12 --timeout 10m',
  );
  example(
    shared(
      verb(root, 'status [agent]', 'what is wanted, and where each agent stands', () => import('./deploy/status.ts')),
    )
      .description(
        'What is wanted, what is in its way, and where each agent stands with it: settled, at work and since when,' +
          ' failing with code and hint, silent, or offline. With a name: all about that agent. Exits 0 when it could be' +
          ' read, whatever it shows.',
      )
      .option('-w, --watch', 'go on looking until Ctrl-C; on a terminal redrawn in place')
      .option('-l, --selector <labels>', 'only agents with these labels, such as role=web,zone!=b'),
    'gitfleet status',
    'gitfleet status web-3',
    'gitfleet status --watch -l "role=web,zone in (a,b)"',
  );
  example(
    shared(verb(root, 'history', 'the deployments, newest first', () => import('./deploy/history.ts')))
      .description(
        'The deployments, newest first: commit, how it ended, how many agents reached it, when, who and why. The star' +
          ' marks what is wanted now; rollback goes to the newest earlier one that is proven.',
      )
      .option('-n, --number <count>', 'how many, default 20'),
    'gitfleet history -n 5',
  );
  example(
    waiting(
      shared(
        verb(
          root,
          'rollback [deployment]',
          'publish an earlier deployment again',
          () => import('./deploy/rollback.ts'),
        ),
      ),
    )
      .description(
        'Publishes the target of an earlier deployment again: the newest proven one before the present, or the one' +
          ' that is named. Agents keep what was proven, so it needs no repository. The branch is left alone.',
      )
      .option('--quarantine', 'put what is left behind in quarantine, so that no push brings it back'),
    'gitfleet rollback',
    'gitfleet rollback d-12 --quarantine -m "checkout broken"',
  );
  brakeVerbs({ root, verb });
}

/** What stops a deployment, and what a server that is gone left behind. */
function brakeVerbs({ root, verb }: Pick<CommandTable, 'root' | 'verb'>): void {
  example(
    shared(verb(root, 'hold', 'stop publishing', () => import('./deploy/hold.ts')))
      .description(
        'Stops publishing until its end, or until unhold. Who tries is told who holds, why and until when. What is' +
          " under way goes on. One's own hold can be changed; somebody else's cannot.",
      )
      .option('-m, --message <why>', 'the reason, for whoever is stopped')
      .option('--for <duration>', 'such as 2h; without it until unhold'),
    'gitfleet hold -m "inventory" --for 2h',
  );
  example(
    shared(verb(root, 'unhold', 'publishing is free again', () => import('./deploy/unhold.ts'))),
    'gitfleet unhold',
  );
  example(
    shared(verb(root, 'quarantine <commit>', 'refuse a commit everywhere', () => import('./deploy/quarantine.ts')))
      .description(
        'Refuses a commit: nobody publishes it, no agent activates it; one that shows it keeps it. COMMIT is an id, the' +
          ' beginning of one that history shows, d-12, or a name in the clone one stands in.',
      )
      .option('-m, --message <why>', 'the reason, for whoever is refused'),
    'gitfleet quarantine d-12 -m "empties the cart"',
  );
  example(
    shared(verb(root, 'unquarantine <commit>', 'allow a commit again', () => import('./deploy/unquarantine.ts'))),
    'gitfleet unquarantine 1f2e3d4',
  );
  example(
    shared(
      verb(root, 'forget <agent>', 'remove what an agent that is gone left', () => import('./deploy/forget.ts')),
    ).description(
      'Removes the report of an agent that is offline, so that status does not show it any more. An agent that is online' +
        ' is refused, unless its report belongs to a former state directory (NO_AUTH): then it is written anew.',
    ),
    'gitfleet forget web-9',
  );
}

const targeting = (command: Command): Command =>
  command
    .option('--url <url>', "the repository as the agents reach it, default: the clone's origin")
    .option('--relative-path <path>', "where on each server, default: the current target's")
    .option('--no-check', 'do not ask the repository whether it has the commit');

const followable = (command: Command): Command =>
  command.option('--timeout <duration>', 'how long to follow, default 5m').addHelpText(
    'after',
    `
Exit codes:
  0 converged   1 failed   3 rolled back   4 timed out, or nobody online
  5 refused: hold, quarantine   6 superseded, or somebody was faster
  7 ZooKeeper or credentials unavailable
  130 detached by Ctrl-C: gitfleet attach follows again`,
  );

export const waiting = (command: Command): Command =>
  followable(command)
    .option('--wait', 'follow the fleet until it has settled (default)')
    .option('--detach', 'return as soon as the target is written')
    .option('-m, --message <why>', 'the reason, for history');
