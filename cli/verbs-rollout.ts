import type { Command } from 'commander';
import { type CommandTable, example, shared } from './command-table.ts';
import { waiting } from './verbs-deploy.ts';

/** The four verbs share a file, as those of the policy do. */
const steering = (verb: 'pause' | 'resume' | 'abort' | 'promote') => async () => ({
  run: (await import('./deploy/steer.ts'))[verb],
});

/** How deployments roll out, and a person's word about the one that goes on. */
export function rolloutVerbs({ root, verb }: CommandTable): void {
  const why = (command: Command): Command => command.option('-m, --message <why>', 'the reason, for everybody to see');
  example(
    why(shared(verb(root, 'pause', 'no more permits for the rollout that goes on', steering('pause')))),
    'gitfleet pause -m "the shop is slow"',
  );
  example(
    why(
      shared(verb(root, 'resume', 'let a paused or halted rollout go on', steering('resume'))).description(
        'Lets a paused rollout go on. One that its policy halted goes on without the agents that failed.',
      ),
    ),
    'gitfleet resume',
  );
  example(
    why(
      shared(verb(root, 'abort', 'end a rollout where it is', steering('abort'))).description(
        'Ends a rollout where it is: nobody activates its target any more, and what runs stays. gitfleet rollback goes back.',
      ),
    ),
    'gitfleet abort -m "wrong branch"',
  );
  example(
    why(
      shared(verb(root, 'promote', 'let the next wave go', steering('promote'))).description(
        'Lets the next wave go as soon as this one is well, without its soak, and without a word more after the canary.',
      ),
    ),
    'gitfleet promote -m "looks good"',
  );
  example(
    waiting(
      shared(verb(root, 'retry', 'publish again what failed', () => import('./deploy/retry.ts'))).description(
        'Publishes the same target again after a rollout that failed, was halted or aborted: agents that have it are' +
          ' done, the others try again.',
      ),
    ),
    'gitfleet retry -m "the database is back"',
  );

  const policy = root.command('policy').description('how deployments roll out').exitOverride();
  example(
    shared(
      verb(policy, 'show', 'the policy, and the waves it makes now', async () => ({
        run: (await import('./deploy/policy.ts')).show,
      })),
    ),
    'gitfleet policy show',
  );
  example(
    shared(
      verb(policy, 'set <file>', 'check a policy and put it in force', async () => ({
        run: (await import('./deploy/policy.ts')).set,
      })),
    ).description(
      'Checks a policy file (YAML or JSON, docs/rollouts.md) and puts it in force for rollouts that begin from now on.',
    ),
    'gitfleet policy set policy.yml',
  );
  example(
    shared(
      verb(policy, 'unset', 'without a policy all agents go at once', async () => ({
        run: (await import('./deploy/policy.ts')).unset,
      })),
    ),
    'gitfleet policy unset',
  );
}
