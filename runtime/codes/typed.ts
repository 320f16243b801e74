import type { CodeRows } from './row.ts';

/** A command, its settings, or the hook on the git host. */
export const typedCodes = () =>
  ({
    USAGE: {
      next: 'stall',
      about: 'request',
      means: 'The command line has an unknown or missing argument, or values that contradict each other.',
      hint: 'see the help of the command: gitfleet COMMAND --help',
    },
    SETTINGS: {
      next: 'stall',
      about: 'server',
      means: 'A setting is missing, unknown or invalid, or a file that it names cannot be used.',
      hint: 'docs/settings.md lists every setting, its default and an example',
    },
    POLICY: {
      next: 'stall',
      about: 'request',
      means: 'The rollout policy is not valid.',
      hint: 'docs/rollouts.md lists every member, its default and examples',
    },
    SELECTOR: {
      next: 'stall',
      about: 'request',
      means: 'The label selector cannot be read.',
      hint: 'separate terms with commas, such as role=web,zone!=b or "zone in (a,b),!spare"',
    },
    REF: {
      next: 'stall',
      about: 'request',
      means: 'The revision is not the plain name of a branch or tag, nor a commit id.',
      hint: 'name a branch, a tag or a commit id, such as main, v1.2 or 1f2e3d4',
    },
    NO_SUCH_REV: {
      next: 'stall',
      about: 'request',
      means: 'No branch, tag or commit has this name, as far as the clone, the repository or the history knows.',
      hint: 'check the spelling, run git fetch if it is new, or give the full commit id',
    },
    AMBIGUOUS_REV: {
      next: 'stall',
      about: 'request',
      means: 'The name fits more than one branch, tag or commit.',
      hint: 'write refs/heads/NAME or refs/tags/NAME, or give more digits of the commit id',
    },
    CLONE_OWNER: {
      next: 'stall',
      about: 'request',
      means: 'Git does not read the clone in which the command runs, because it belongs to another user.',
      hint: 'run the command as the owner of the clone, or: git config --global --add safe.directory DIRECTORY',
    },
    CONFLICT: {
      next: 'stall',
      about: 'request',
      means: 'Another publish came first, and nothing of yours was written.',
      hint: 'see what runs (gitfleet status), then publish again',
    },
    COMMIT_NOT_ON_REMOTE: {
      next: 'stall',
      about: 'request',
      means: 'The repository of the target does not have this commit.',
      hint: 'git push it first; or publish with --no-check',
    },
    NOTHING_PUBLISHED: {
      next: 'stall',
      about: 'request',
      means: 'There is no deployment to follow or to steer.',
      hint: 'publish a commit: gitfleet publish',
    },
    NOTHING_SHOWN: {
      next: 'stall',
      about: 'request',
      means: 'publish --again publishes what the online agents show, and none of them shows a commit.',
      hint: 'name the commit: gitfleet publish COMMIT',
    },
    SHOWN_DIFFERS: {
      next: 'stall',
      about: 'request',
      means: 'The online agents show different commits, and none is shown by more agents than each other one.',
      hint: 'gitfleet status shows who shows what; name the commit: gitfleet publish COMMIT',
    },
    NOTHING_PROVEN: {
      next: 'stall',
      about: 'request',
      means: 'No earlier deployment ended with every agent healthy, so rollback has no commit that it can choose.',
      hint: 'choose one yourself: gitfleet history, then gitfleet rollback d-<n>',
    },
    DEPLOYMENT_UNKNOWN: {
      next: 'stall',
      about: 'request',
      means: 'The history has no deployment of this number.',
      hint: 'see gitfleet history for the deployments that there are',
    },
    NO_SERVICE: {
      next: 'stall',
      about: 'request',
      means: 'ZooKeeper has no service of this name that gitfleet has set up.',
      hint: 'gitfleet service list shows the services; gitfleet init --service NAME sets one up',
    },
    NO_INSTANCE: {
      next: 'stall',
      about: 'request',
      means: 'No instance of the service is registered, or none that fits what was asked for.',
      hint: 'gitfleet service list NAME shows the instances',
    },
    AGENT_UNKNOWN: {
      next: 'stall',
      about: 'request',
      means: 'No agent of this name is online, and none has left a report.',
      hint: 'gitfleet status shows the agents of this app',
    },
    ONLINE: {
      next: 'stall',
      about: 'request',
      means: 'An agent that is online cannot be forgotten.',
      hint: 'stop that agent first (on the server: systemctl stop gitfleet-agent); an online agent would only report again',
    },
    APP_OPEN: {
      next: 'stall',
      about: 'request',
      means:
        'The app has no access rights yet, and setting them would shut out every client without a credential file.',
      hint: 'gitfleet init --close writes the files; then give agents and publishers theirs. Nothing was changed',
    },
    INTERRUPTED: {
      next: 'stall',
      about: 'request',
      means: 'The command was interrupted, such as by Ctrl-C.',
      hint: 'gitfleet status shows whether anything was written',
    },
    OUTPUT_FAILED: {
      next: 'stall',
      about: 'request',
      means: 'Standard output does not accept what the command prints, such as on a full disk.',
      hint: 'run gitfleet status with an output that accepts it: the command may have done its work',
    },
    NO_AGENT: {
      next: 'stall',
      about: 'request',
      means: 'This machine has no agent state for the app.',
      hint: 'check --state and --app, or start the agent once: systemctl start gitfleet-agent, or: gitfleet agent run',
    },
    NO_ZOOKEEPER: {
      next: 'stall',
      about: 'request',
      means: 'gitfleet zk up and gitfleet demo found no ZooKeeper distribution on this machine.',
      hint: 'install ZooKeeper and Java, or set ZOOKEEPER_HOME to an unpacked distribution',
    },
    DEMO_FAILED: {
      next: 'stall',
      about: 'request',
      means: 'A part of the demo did not start, or one of its commands failed.',
      hint: 'the lines above say why',
    },
    NOT_A_REPOSITORY: {
      next: 'stall',
      about: 'request',
      means: 'The directory that was named for the hook is not a bare git repository that this user can read.',
      hint: 'name a bare repository, such as /srv/git/shop.git, that this user owns',
    },
    CONFIG_LOCKED: {
      next: 'stall',
      about: 'request',
      means:
        'The git config of the repository is locked by another process, or by one that was killed; nothing was changed.',
      hint: 'wait for it; where no git runs in this repository, remove the lock file and run this again',
    },
    HOOK_EDITED: {
      next: 'stall',
      about: 'request',
      means: 'The hook was edited after gitfleet wrote it; nothing was changed.',
      hint: 'move what you added into a file of its own, remove the hook, and run this again',
    },
    HOOK_EXISTS: {
      next: 'stall',
      about: 'request',
      means: 'Hooks that gitfleet did not write are in the way; nothing was changed.',
      hint: 'keep one hook under that name, move the other away, and run this again',
    },
    HOOKS_SHARED: {
      next: 'stall',
      about: 'request',
      means: 'The hooks directory of the repository is a link, so other repositories may run the same hooks.',
      hint: 'give the repository a hooks directory of its own, and run this again',
    },
    HOOK_SETTINGS: {
      next: 'stall',
      about: 'request',
      means:
        'The gitfleet section in the git config of the repository is incomplete or invalid, so the push deploys nothing.',
      hint: 'on the git host run gitfleet hook install again, or take it out with gitfleet hook uninstall',
    },
  }) as const satisfies CodeRows;
