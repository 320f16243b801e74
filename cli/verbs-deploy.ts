import type { Command } from 'commander';
import { type CommandTable, example, note, reasoned, shared, WHY } from './command-table.ts';

/** Also registered alone: people wait for a publish, so it does not pay for the other verbs. */
export function publishVerb({ root, verb }: Pick<CommandTable, 'root' | 'verb'>): void {
  example(
    waiting(
      targeting(
        shared(verb(root, 'publish [rev]', 'deploy a commit to the whole fleet', () => import('./deploy/publish.ts')))
          .alias('deploy')
          .description(
            'Deploys a commit to the whole fleet. REV is a branch, a tag, a short or full commit id, or in a clone a' +
              " revision of git such as HEAD~1; the default is HEAD. In a clone, the repository is the clone's origin, and the path on the servers is that of the current" +
              ' target. With --url, --relative-path and a full commit id, no clone is needed. Before anything is written,' +
              ' gitfleet checks that the repository has the commit.',
          ),
      ),
    )
      .option(
        '--force',
        'lift the quarantine of this commit and of those it contains (requires -m WHY); a hold still applies',
      )
      .option('--bundle', 'put a small change into ZooKeeper, for agents with objects: signed')
      .option('--bundle-in-clear', 'do so without TLS to ZooKeeper too')
      .option('--again', 'publish what the online agents show, as after ZooKeeper was set back or wiped'),
    'gitfleet publish main -m "new checkout"',
    'gitfleet publish --url https://git.example.com/shop.git --relative-path shop <full commit id>',
  );
}

/** The verbs for deploying, and for the person on call. */
export function deployVerbs({ root, verb }: CommandTable): void {
  publishVerb({ root, verb });
  example(
    targeting(
      shared(
        verb(root, 'plan [rev]', 'show what publish would do, and what blocks it', () => import('./deploy/plan.ts')),
      ),
    )
      .description(
        'Shows what publish would do, found in the same way, and writes nothing: what changes, which agents would take' +
          ' part, which are offline, and what blocks it. With --rollback, the same for gitfleet rollback.',
      )
      .option('--rollback [deployment]', 'plan a rollback: to d-12 or a commit, or as gitfleet rollback would choose')
      .option('--force', 'as for publish')
      .option('--exit-code', 'exit 10 if the target would change'),
    'gitfleet plan main',
    'gitfleet plan --rollback',
    'gitfleet plan --exit-code v1.2; [ $? -eq 10 ] && gitfleet publish v1.2',
  );
  example(
    followable(
      shared(verb(root, 'attach [deployment]', 'follow a deployment', () => import('./deploy/attach.ts'))),
    ).description(
      'Follows a deployment, by default the current one, with the exit codes of publish. A deployment that a newer one' +
        ' replaced has ended: attach shows how its record says it ended.',
    ),
    'gitfleet attach',
    'gitfleet attach d-12 --timeout 10m',
  );
  example(
    shared(
      verb(root, 'status [agent]', 'show the target and the state of each agent', () => import('./deploy/status.ts')),
    )
      .description(
        'Shows the target, what blocks it, and the state of each agent: settled, at work and for how long, failing with' +
          ' code and hint, silent, or offline. With a name: everything about that agent. Exits 0 if the state could be' +
          ' read, whatever it is.',
      )
      .option('-w, --watch', 'keep watching until Ctrl-C; on a terminal, redraw in place')
      .option('-l, --selector <labels>', 'only agents with these labels, such as role=web,zone!=b'),
    'gitfleet status',
    'gitfleet status web-3',
    'gitfleet status --watch -l "role=web,zone in (a,b)"',
  );
  example(
    shared(verb(root, 'history', 'list the deployments, newest first', () => import('./deploy/history.ts')))
      .description(
        'Lists the deployments, newest first: commit, outcome, how many agents reached it, when, who and why. The star' +
          ' marks the current one; rollback returns to the newest earlier deployment that is proven, that is, one that' +
          ' every expected agent reached. Between them stand holds, quarantines, changes of the policy and what was' +
          ' forgotten. With --verify, checks that no record was changed, removed or added since it was written, and exits' +
          ' 1 if one was.',
      )
      .option('-n, --number <count>', 'how many deployments to list, default 20; with --since, all')
      .option('--since <time>', 'only what happened since: 2h, 7d, 2026-11-30 or "2026-11-30 14:00"')
      .option('--utc', 'show dates instead of ages, and read the date of --since as UTC')
      .option('--agent <name>', 'show whether each deployment reached this agent, too')
      .option('--no-audit', 'list deployments only')
      .option('--verify', 'check the chain of the records instead, and print its head')
      .option('--head <head>', 'with --verify: compare with a head that was noted earlier'),
    'gitfleet history -n 5',
    'gitfleet history --agent web-2 --since 7d --utc',
    'gitfleet history --verify',
  );
  example(
    waiting(
      shared(
        verb(
          root,
          'rollback [deployment]',
          'return the fleet to an earlier deployment',
          () => import('./deploy/rollback.ts'),
        ),
      ),
    )
      .description(
        'Publishes the target of an earlier deployment again: the one you name, or the newest proven one before the' +
          ' current. DEPLOYMENT is d-12, 12, or a commit that was deployed, by at least 7 digits. Agents keep what' +
          ' was proven, so the repository is not needed. The branch is not changed.',
      )
      .option('--quarantine', 'quarantine the commit that is replaced, so that no push brings it back'),
    'gitfleet rollback',
    'gitfleet rollback 1f2e3d4',
    'gitfleet rollback d-12 --quarantine -m "checkout broken"',
  );
}

/** The verbs that stop publishing, or a commit. */
export function brakeVerbs({ root, verb }: CommandTable): void {
  example(
    shared(verb(root, 'hold', 'stop publishing for a while', () => import('./deploy/hold.ts')))
      .description(
        'Stops publishing until the hold expires, or until unhold. A publish that is refused says who holds, why and' +
          ' until when. A rollout in progress continues, and rollback is never stopped. You can change your own hold, but not that of another person.' +
          ' Without options, the hold in force is shown.',
      )
      .option('-m, --message <why>', 'the reason, shown with each refusal')
      .option('--for <duration>', 'how long, such as 2h; default: as before, or until unhold'),
    'gitfleet hold -m "inventory" --for 2h',
  );
  example(
    reasoned(shared(verb(root, 'unhold', 'allow publishing again', () => import('./deploy/unhold.ts')))),
    'gitfleet unhold',
  );
  example(
    shared(verb(root, 'quarantine [commit]', 'refuse a commit on every agent', () => import('./deploy/quarantine.ts')))
      .description(
        'Refuses a commit: it cannot be published, and no agent activates it. An agent that shows it already keeps it.' +
          ' Commits that contain it are published only with --force -m WHY.' +
          ' COMMIT is a full id, the beginning of an id in the history, d-12, or a name in the current clone. Without' +
          ' arguments, the commits in quarantine are listed.',
      )
      .option('-m, --message <why>', 'the reason, shown with each refusal'),
    'gitfleet quarantine d-12 -m "empties the cart"',
  );
  example(
    reasoned(
      shared(verb(root, 'unquarantine <commit>', 'allow a commit again', () => import('./deploy/unquarantine.ts'))),
    ),
    'gitfleet unquarantine 1f2e3d4',
  );
}

/** Which agents count. */
export function enrolVerb({ root, verb }: CommandTable): void {
  example(
    shared(verb(root, 'enrol [agent=identity...]', 'say who counts as an agent', () => import('./deploy/enrol.ts')))
      .description(
        'Shows which agents are enrolled, or changes that. While enrolment is open, as init leaves it, every holder of' +
          ' agent.auth can be any agent. While it is closed, only enrolled agents count: for the verdict of a deployment,' +
          ' as canary, in waves. An identity is public; gitfleet agent status, on its server, prints it in the form to type.',
      )
      .option('--online', 'enrol the agents that are online now; compare the fingerprints that it prints')
      .option('--remove', 'take the named agents out')
      .option('--close', 'only enrolled agents count from now on')
      .option('--open', 'all holders of agent.auth count from now on (requires -m WHY)')
      .option('-m, --message <why>', 'the reason, shown with the enrolment'),
    'gitfleet enrol --online --close',
    'gitfleet enrol web-9=IDENTITY',
    'gitfleet enrol --remove web-9',
  );
}

/** Removes what a server that is gone left behind. */
export function forgetVerb({ root, verb }: CommandTable): void {
  example(
    shared(
      verb(
        root,
        'forget [agents...]',
        'remove the reports of agents that are gone',
        () => import('./deploy/forget.ts'),
      ),
    )
      .description(
        'Removes the report of an agent that is offline, so that status no longer lists it. For an agent that is online,' +
          ' forget is refused, unless its report belongs to a former state directory (NO_AUTH): then the agent writes a' +
          ' new one. With --older, all offline agents that reported last that long ago. With --list, what could be' +
          ' forgotten is shown, and nothing is removed.',
      )
      .option('-l, --list', 'only list the agents that could be forgotten, with the age of their last report')
      .option('--older <duration>', 'all offline agents whose last report is at least that old, such as 1h')
      .option('-m, --message <why>', WHY),
    'gitfleet forget -l',
    'gitfleet forget web-9 web-10',
    'gitfleet forget --older 1h',
  );
}

const targeting = (command: Command): Command =>
  command
    .option('--url <url>', "the repository as the agents reach it, default: the clone's origin")
    .option('--relative-path <path>', "path of the link on each server, default: the current target's")
    .option('--no-check', 'do not check that the repository has the commit');

const followable = (command: Command): Command =>
  note(command.option('--timeout <duration>', 'how long to follow, default 5m'), 'Exit codes', [
    '0 converged   1 failed   3 rolled back   4 timed out, or no agent online',
    '5 refused: hold, quarantine   6 superseded, or published by another first',
    '7 ZooKeeper or credentials unavailable',
    '130 detached by Ctrl-C: gitfleet attach follows again',
  ]);

export const waiting = (command: Command): Command =>
  followable(command)
    .option('--wait', 'follow the fleet until it has settled (default)')
    .option('--detach', 'return as soon as the target is written')
    .option('--sign-key <file>', 'sign the target: a private key, or the .pub file of one that ssh-agent holds')
    .option('--audience <name>', 'whom it is signed for: agent.verify.audience of the agents')
    .option('-m, --message <why>', 'the reason, shown in history');
