import { type CommandTable, example, shared } from './command-table.ts';

/** The verbs of whoever runs a git host, and what the installed hooks call. */
export function hookVerbs({ root, verb }: CommandTable): void {
  const hook = root.command('hook').description('deploy by git push').exitOverride();
  example(
    shared(
      verb(
        hook,
        'install [repository]',
        'let a bare repository deploy a branch, or the branches of a pattern',
        () => import('./hook/install.ts'),
      ),
    )
      .description(
        'Lets a bare repository deploy a branch, or the branches of a pattern, whenever they are pushed. Run it again for' +
          ' further branches and apps; for the same branch and app it updates that installation and says what changed. A' +
          ' hook that is there already is kept and called first. docs/push.md tells more.',
      )
      .option('--branch <pattern>', "the branches that deploy, such as 'release/*', default main")
      .requiredOption('--relative-path <path>', 'where on each server')
      .option('--url <url>', 'the repository as the agents reach it, default file://<repository>')
      .option(
        '--gate [mode]',
        'refuse pushes that could not be deployed; where there is no answer: lenient (default) lets them through,' +
          ' strict does not',
      ),
    'gitfleet hook install /srv/git/shop.git --relative-path shop --url ssh://git@git.example.com/srv/git/shop.git',
    "gitfleet hook install /srv/git/shop.git --branch 'release/*' --app /app/live --relative-path live --gate=strict",
  );
  example(
    verb(hook, 'uninstall [repository]', 'put a repository back to how it was', () => import('./hook/uninstall.ts'))
      .description(
        'Takes installations out of a repository. With the last one the hooks that were there before are back, and git' +
          ' receives as it did. What is deployed stays deployed.',
      )
      .option('--branch <pattern>', 'only the installations of this branch or pattern')
      .option('--app <znode>', 'only the installations for this app')
      .option('--json', 'for machines: one JSON value per line'),
    "gitfleet hook uninstall /srv/git/shop.git --branch 'release/*'",
  );
  example(
    verb(hook, 'status [repository]', 'whether a push would deploy, and where', () => import('./hook/status.ts'))
      .description(
        'Says what is installed for which branch, whether git will run it, and whether each ZooKeeper answers and would' +
          ' let the hook publish. Changes nothing. Exits 0 when a push would deploy, 1 when something is in the way, 7' +
          ' when that is ZooKeeper or the credential.',
      )
      .option('--json', 'for machines: one JSON value per line'),
    'gitfleet hook status /srv/git/shop.git',
  );
  verb(hook, 'post-receive', 'what the installed hook calls', () => import('./hook/post-receive.ts')).requiredOption(
    '--repository <dir>',
    'the repository that received',
  );
  verb(hook, 'pre-receive', 'what the installed gate calls', () => import('./hook/pre-receive.ts'))
    .requiredOption('--repository <dir>', 'the repository that receives')
    .option('--quarantine <dir>', 'where git keeps what is not received yet', '');
}
