import type { Command } from 'commander';
import { type CommandTable, example, reasoned, shared } from './command-table.ts';
import { waiting } from './verbs-deploy.ts';

/** The four verbs share a file, as those of the policy do. */
const steering = (verb: 'pause' | 'resume' | 'abort' | 'promote') => async () => ({
  run: (await import('./deploy/steer.ts'))[verb],
});

/** How deployments roll out, and the operator commands for the current rollout. */
export function rolloutVerbs({ root, verb }: CommandTable): void {
  const why = (command: Command): Command =>
    command.option('-m, --message <why>', 'the reason, shown in status and history');
  example(
    why(shared(verb(root, 'pause', 'stop the rollout before the next agents activate', steering('pause')))),
    'gitfleet pause -m "the shop is slow"',
  );
  example(
    why(
      shared(verb(root, 'resume', 'continue a paused or halted rollout', steering('resume'))).description(
        'Continues a paused rollout. A rollout that its policy halted continues without the agents that failed.',
      ),
    ),
    'gitfleet resume',
  );
  example(
    why(
      shared(verb(root, 'abort', 'end the rollout where it is', steering('abort'))).description(
        'Ends the rollout where it is: no further agent activates its target, and each keeps what it shows. To return to' +
          ' an earlier deployment, use gitfleet rollback.',
      ),
    ),
    'gitfleet abort -m "wrong branch"',
  );
  example(
    why(
      shared(verb(root, 'promote', 'start the next wave early', steering('promote'))).description(
        'Starts the next wave as soon as this one is healthy, without its soak time and without further confirmation' +
          ' after the canary.',
      ),
    ),
    'gitfleet promote -m "looks good"',
  );
  example(
    waiting(
      shared(verb(root, 'retry', 'publish a failed deployment again', () => import('./deploy/retry.ts'))).description(
        'Publishes the same target again after a rollout that failed, was halted or was aborted: agents that have it' +
          ' are done, the others try again.',
      ),
    ),
    'gitfleet retry -m "the database is back"',
  );

  const policy = root
    .command('policy')
    .description('how deployments roll out: canary, waves, health, budgets')
    .exitOverride();
  example(
    shared(
      verb(policy, 'show', 'show the policy and the waves that it makes now', async () => ({
        run: (await import('./deploy/policy.ts')).show,
      })),
    ),
    'gitfleet policy show',
  );
  example(
    reasoned(
      shared(
        verb(policy, 'set <file>', 'check a policy and apply it', async () => ({
          run: (await import('./deploy/policy.ts')).set,
        })),
      ),
    ).description(
      'Checks a policy file (YAML or JSON, docs/rollouts.md) and applies it to rollouts that begin from now on.',
    ),
    'gitfleet policy set policy.yml',
  );
  example(
    reasoned(
      shared(
        verb(policy, 'unset', 'remove the policy: all agents then deploy at once', async () => ({
          run: (await import('./deploy/policy.ts')).unset,
        })),
      ),
    ),
    'gitfleet policy unset',
  );
}
