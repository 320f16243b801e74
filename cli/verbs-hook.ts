import { type CommandTable, example, shared } from './command-table.ts';

/** The verbs for a git host, and those that the installed hooks call. */
export function hookVerbs({ root, verb }: CommandTable): void {
  const hook = root.command('hook').description('deploy by git push').exitOverride();
  example(
    shared(
      verb(hook, 'install [repository]', 'make pushes to a bare repository deploy', () => import('./hook/install.ts')),
    )
      .description(
        'Makes each push of a branch, or of the branches that match a pattern, to a bare repository deploy. Run it again' +
          ' for further branches and apps; for the same branch and app it updates that installation and says what' +
          ' changed. An existing hook is kept and called first. See docs/push.md.',
      )
      .option('--branch <pattern>', "the branches that deploy, such as 'release/*', default main")
      .requiredOption('--relative-path <path>', 'path of the link on each server')
      .option('--url <url>', 'the repository as the agents reach it, default file://<repository>')
      .option('--sign-key <file>', 'sign what is pushed: a private key that the receiving user may read')
      .option('--audience <name>', 'whom it is signed for: agent.verify.audience of the agents')
      .option('--bundle', 'put a small change into ZooKeeper, for agents with objects: signed')
      .option('--bundle-in-clear', 'do so without TLS to ZooKeeper too')
      .option(
        '--gate [mode]',
        'refuse pushes that cannot be deployed; if that cannot be found out, lenient (default) accepts the push and' +
          ' strict refuses it',
      ),
    'gitfleet hook install /srv/git/shop.git --relative-path shop --url ssh://git@git.example.com/srv/git/shop.git',
    "gitfleet hook install /srv/git/shop.git --branch 'release/*' --app /app/live --relative-path live --gate=strict",
  );
  example(
    verb(
      hook,
      'uninstall [repository]',
      'make pushes to a repository no longer deploy',
      () => import('./hook/uninstall.ts'),
    )
      .description(
        'Removes installations from a repository. Removing the last one restores the earlier hooks and the receive' +
          ' settings of git. What is deployed stays deployed.',
      )
      .option('--branch <pattern>', 'only the installations of this branch or pattern')
      .option('--app <znode>', 'only the installations for this app')
      .option('--json', 'for machines: one JSON value per line'),
    "gitfleet hook uninstall /srv/git/shop.git --branch 'release/*'",
  );
  example(
    verb(hook, 'status [repository]', 'show whether a push would deploy, and where', () => import('./hook/status.ts'))
      .description(
        'Shows what is installed for which branch, whether git runs it, and whether each ZooKeeper answers and lets the' +
          ' hook publish. Changes nothing. Exits 0 if a push would deploy, 1 if something prevents it, and 7 if that is' +
          ' ZooKeeper or the credential.',
      )
      .option('--json', 'for machines: one JSON value per line'),
    'gitfleet hook status /srv/git/shop.git',
  );
  verb(hook, 'post-receive', 'called by the installed hook', () => import('./hook/post-receive.ts')).requiredOption(
    '--repository <dir>',
    'the repository that received',
  );
  verb(hook, 'pre-receive', 'called by the installed gate', () => import('./hook/pre-receive.ts'))
    .requiredOption('--repository <dir>', 'the repository that receives')
    .option('--quarantine <dir>', 'where git keeps what it has not accepted yet', '');
}
