import type { CodeRows } from './row.ts';

/** The git host, the connection to it, and the object store of what was fetched. */
export const gitCodes = () =>
  ({
    FETCH_FAILED: {
      next: 'retry',
      about: 'origin',
      means: 'The git host cannot be reached, broke off, or did not finish in time.',
      hint: 'check that this server reaches the git server; the agent tries again automatically',
    },
    FLOODED: {
      next: 'retry',
      about: 'origin',
      means: 'The git host sends without end before any object comes, such as an endless list of refs.',
      hint: 'check what answers at this url; the agent tries again automatically, but seldom',
    },
    ORIGIN_BUSY: {
      next: 'retry',
      about: 'origin',
      means: 'The git host says that it is overloaded, or that it was asked too often (429, 503).',
      hint: 'look at its load and its rate limits; the agent asks again automatically, ever less often',
    },
    COMMIT_NOT_FOUND: {
      next: 'retry',
      about: 'origin',
      means: 'The repository does not have the commit, or does not give it by its id alone.',
      hint: 'push the commit to the repository of this url; if it is there, name its branch as ref',
    },
    REPOSITORY_NOT_FOUND: {
      next: 'stall',
      about: 'origin',
      means: 'The git host has no repository at this url, or hides it from these credentials.',
      hint: 'check the url; some servers also say this when the credentials may not see the repository',
    },
    AUTH: {
      next: 'stall',
      about: 'origin',
      means: 'The git host refused the credentials, or none are set for this url.',
      hint: 'check sshKeyFile or tokenFile in the settings for this url, and that this server may read the repository',
    },
    HOST_KEY: {
      next: 'stall',
      about: 'origin',
      means: 'The ssh key of the git host is unknown, or is not the one that is known for it.',
      hint: 'compare the host key with its owner, then put it into the knownHosts file of this url',
    },
    TLS: {
      next: 'stall',
      about: 'origin',
      means: 'The TLS certificate of the git host is not trusted, has expired, or is for another host.',
      hint: 'check the certificate of the server, and caFile in the settings for this url',
    },
    CREDENTIAL_FILE: {
      next: 'stall',
      about: 'server',
      means: 'A credential, certificate or known_hosts file for this url is missing, unusable, or open to others.',
      hint: 'check name, content and mode of the file in agent.credentials; a secret must have mode 0600',
    },
    REDIRECTED: {
      next: 'stall',
      about: 'origin',
      means: 'The git host redirects to another address.',
      hint: 'publish the address that the server redirects to; redirects are never followed',
    },
    DUMB_HTTP: {
      next: 'stall',
      about: 'origin',
      means: 'The web server answers without the smart git protocol, with plain files or with a web page.',
      hint: 'check that the url is a git repository; serve it with git http-backend, or over ssh',
    },
    ORIGIN_OWNER: {
      next: 'stall',
      about: 'origin',
      means: 'Git refuses a local repository that belongs to another user.',
      hint: "the repository at the file url must belong to the agent's user; or serve it over ssh or https",
    },
    GIT_FAILED: {
      next: 'retry',
      about: 'server',
      means: 'A git command failed with words that gitfleet does not know.',
      hint: 'see what git says in the reason; the agent tries again automatically',
    },
    GIT_TIMEOUT: {
      next: 'retry',
      about: 'server',
      means: 'A git command took too long and was ended.',
      hint: 'check the load of this server and of the git server; the agent tries again automatically',
    },
    GIT_KILLED: {
      next: 'retry',
      about: 'server',
      means: 'A git command was ended by a signal.',
      hint: 'find out what ended it, such as the kernel for lack of memory; the agent tries again automatically',
    },
    STORE_LOCKED: {
      next: 'retry',
      about: 'server',
      means: 'A lock file of git is in the object store.',
      hint: 'stop any other git that works in the store; the agent removes stale locks of its own and tries again',
    },
    STORE_BROKEN: {
      next: 'retry',
      about: 'server',
      means: 'Objects in the local store of this app are missing or damaged.',
      hint: 'nothing to do: the agent makes a new store and keeps serving; if it happens again, check the disk of this server',
    },
    COMMIT_ABSENT: {
      next: 'retry',
      about: 'server',
      means: 'The local store does not have the commit, such as after it was replaced.',
      hint: 'nothing to do: the agent fetches it again',
    },
    NOT_KEPT: {
      next: 'stall',
      about: 'server',
      means: 'A kept commit was asked for that this server does not have, and no repository is known for it.',
      hint: 'publish the commit: a target names its repository',
    },
    NO_SPARE: {
      next: 'retry',
      about: 'server',
      means: 'The work tree in which the next release is written has disappeared.',
      hint: 'nothing to do: the agent writes it again',
    },
    NOT_OUR_WORK_TREE: {
      next: 'retry',
      about: 'server',
      means: 'The local store does not know the release directory, such as after it was replaced.',
      hint: 'publish the commit again if it stays so: the release is written again',
    },
  }) as const satisfies CodeRows;
