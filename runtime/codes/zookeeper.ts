import type { CodeRows } from './row.ts';

/** ZooKeeper, the connection to it, and its content. */
export const zookeeperCodes = () =>
  ({
    UNREACHABLE: {
      next: 'retry',
      about: 'coordination',
      means: 'No ZooKeeper server answered, or the connection is lost.',
      hint: 'see which servers answer: gitfleet zk status',
    },
    DEADLINE: {
      next: 'retry',
      about: 'coordination',
      means:
        'ZooKeeper did not answer in time; in a rollout, the agent did not finish within the deadline of its wave.',
      hint: 'see gitfleet zk status; in a rollout, see gitfleet status AGENT',
    },
    IMPOSTOR: {
      next: 'wait',
      about: 'coordination',
      means:
        'A node that this enrolled agent did not make is at its name in ZooKeeper; it deploys and reports all the same.',
      hint: 'the coordinator removes it, or: gitfleet forget AGENT; an unknown client holds agent.auth',
    },
    NOT_ENROLLED: {
      next: 'wait',
      about: 'coordination',
      means:
        'Enrolment of the app is closed and the agent is not entered, so the fleet neither counts nor waits for it.',
      hint: 'gitfleet agent status, on that server, prints the command that enters it',
    },
    CONNECTION_LOSS: {
      next: 'retry',
      about: 'coordination',
      means: 'The connection broke before the answer came, so a write may or may not have happened.',
      hint: 'look what is there (gitfleet status) before you try again',
    },
    SESSION_EXPIRED: {
      next: 'retry',
      about: 'coordination',
      means: 'ZooKeeper ended the session after it had heard nothing for the session timeout.',
      hint: 'nothing to do: a new session is made automatically',
    },
    SESSION_MOVED: {
      next: 'retry',
      about: 'coordination',
      means: 'The session now belongs to another server of the ensemble.',
      hint: 'nothing to do: the agent retries automatically',
    },
    QUEUE_FULL: {
      next: 'retry',
      about: 'coordination',
      means: 'Too many calls are waiting for ZooKeeper to come back.',
      hint: 'bring ZooKeeper back: gitfleet zk status shows which servers answer',
    },
    OPERATION_TIMEOUT: {
      next: 'retry',
      about: 'coordination',
      means: 'A ZooKeeper server gave up an operation that took too long.',
      hint: 'nothing to do: the agent retries automatically',
    },
    REQUEST_TIMEOUT: {
      next: 'retry',
      about: 'coordination',
      means: 'A ZooKeeper server did not get a request through the ensemble in time.',
      hint: 'nothing to do: the agent retries automatically',
    },
    THROTTLED: {
      next: 'retry',
      about: 'coordination',
      means: 'The ZooKeeper server limits requests because it is overloaded.',
      hint: 'give the ZooKeeper servers more resources, or use them less; the agent retries automatically',
    },
    NOT_READ_ONLY: {
      next: 'retry',
      about: 'coordination',
      means: 'A ZooKeeper server without a quorum refused a write.',
      hint: 'bring the other ZooKeeper servers back: gitfleet zk status shows which servers answer',
    },
    NEW_CONFIG_NO_QUORUM: {
      next: 'retry',
      about: 'coordination',
      means: 'The new configuration of the ensemble has no quorum.',
      hint: 'wait until the ensemble is reconfigured; the agent retries automatically',
    },
    RECONFIG_IN_PROGRESS: {
      next: 'retry',
      about: 'coordination',
      means: 'The ensemble is being reconfigured.',
      hint: 'wait until the ensemble is reconfigured; the agent retries automatically',
    },
    SYSTEM_ERROR: {
      next: 'retry',
      about: 'coordination',
      means: 'A ZooKeeper server reports an internal error.',
      hint: 'read the log of the ZooKeeper servers',
    },
    RUNTIME_INCONSISTENCY: {
      next: 'retry',
      about: 'coordination',
      means: 'A ZooKeeper server reports that its state contradicts itself.',
      hint: 'read the log of the ZooKeeper servers',
    },
    DATA_INCONSISTENCY: {
      next: 'retry',
      about: 'coordination',
      means: 'A ZooKeeper server reports that its data contradict themselves.',
      hint: 'read the log of the ZooKeeper servers',
    },
    UNKNOWN_CODE: {
      next: 'retry',
      about: 'coordination',
      means: 'ZooKeeper answered with a result code that this version of gitfleet does not know.',
      hint: 'update gitfleet, or read the log of the ZooKeeper servers',
    },
    NO_AUTH: {
      next: 'stall',
      about: 'coordination',
      means: 'The access rights of the znode do not allow this with the credential that was given, or without one.',
      hint: 'use a credential file of gitfleet init that allows this: zookeeper.authFile, GITFLEET_AUTH_FILE or --auth-file',
    },
    AUTH_FAILED: {
      next: 'stall',
      about: 'coordination',
      means: 'ZooKeeper refuses the credential itself.',
      hint: 'check scheme and credential in zookeeper.authFile',
    },
    DIGEST_ALGORITHM: {
      next: 'stall',
      about: 'coordination',
      means:
        'The ZooKeeper servers hash digest credentials with another algorithm than SHA1, so no client would meet rights.',
      hint: 'remove zookeeper.DigestAuthenticationProvider.digestAlg on the servers, or set it to SHA1; nothing was changed',
    },
    SASL_REQUIRED: {
      next: 'stall',
      about: 'coordination',
      means: 'The ZooKeeper servers accept only SASL clients.',
      hint: 'allow clients without SASL on the servers: gitfleet does not speak it',
    },
    BAD_TLS: {
      next: 'stall',
      about: 'coordination',
      means: 'The certificates or the key for ZooKeeper cannot be used.',
      hint: 'give certificates and key as PEM that belong together, and the passphrase when the key has one',
    },
    BAD_CONNECT_STRING: {
      next: 'stall',
      about: 'coordination',
      means: 'The ZooKeeper connect string is not valid.',
      hint: 'write it as host1:2181,host2:2181,host3:2181 optionally followed by a /path',
    },
    UNIMPLEMENTED: {
      next: 'stall',
      about: 'coordination',
      means: 'The ZooKeeper server does not know this operation.',
      hint: 'update ZooKeeper: gitfleet needs 3.5 or newer',
    },
    INVALID_ACL: {
      next: 'stall',
      about: 'coordination',
      means: 'ZooKeeper refuses an access list.',
      hint: 'check scheme and id of each entry of the access list',
    },
    EPHEMERAL_ON_LOCAL_SESSION: {
      next: 'stall',
      about: 'coordination',
      means: 'The ZooKeeper servers use local sessions, which cannot hold the znode that says that an agent is online.',
      hint: 'allow local sessions to upgrade on the servers',
    },
    RECONFIG_DISABLED: {
      next: 'stall',
      about: 'coordination',
      means: 'The ZooKeeper servers do not allow reconfiguration.',
      hint: 'enable it on the servers (reconfigEnabled), or do without',
    },
    QUOTA_EXCEEDED: {
      next: 'stall',
      about: 'coordination',
      means: 'A ZooKeeper quota on the path is used up.',
      hint: 'raise the quota on this path, or remove what is old',
    },
    NODE_TOO_LARGE: {
      next: 'stall',
      about: 'coordination',
      means: 'A znode, or a transaction, would be larger than the 1,000,000 bytes that servers take by default.',
      hint: 'store less in one znode, or in one transaction',
    },
    NO_NODE: {
      next: 'wait',
      about: 'coordination',
      means: 'A znode does not exist.',
      hint: 'create it; gitfleet init creates those of an app',
    },
    NODE_EXISTS: {
      next: 'retry',
      about: 'coordination',
      means: 'A znode exists already.',
      hint: 'read it, then decide again',
    },
    BAD_VERSION: {
      next: 'retry',
      about: 'coordination',
      means: 'Another client changed the znode first.',
      hint: 'read it, then decide again',
    },
    NOT_EMPTY: {
      next: 'retry',
      about: 'coordination',
      means: 'A znode that was to be deleted has children.',
      hint: 'delete the children first',
    },
    APP_MISSING: {
      next: 'stall',
      about: 'coordination',
      means:
        'The app, or a part that an earlier gitfleet did not have, does not exist on this ZooKeeper: it was not set up there, or ZooKeeper was wiped.',
      hint: 'run once: gitfleet init --app APP (check --zookeeper, a chroot included); after a wipe, agents keep what they serve: then gitfleet publish --again',
    },
    PUBLISH_STUCK: {
      next: 'retry',
      about: 'coordination',
      means:
        'The write was tried again and again and never took place: ZooKeeper ends the connection, or others write first.',
      hint: 'look at the log of the servers (jute.maxbuffer, memory), then at gitfleet status, and run the command again',
    },
    PUBLISH_UNKNOWN: {
      next: 'retry',
      about: 'coordination',
      means: 'ZooKeeper went away during the write, so the target may or may not be published.',
      hint: 'when ZooKeeper answers again, gitfleet status shows whether it is; publish again if it is not',
    },
    DEPLOYMENTS_UNREADABLE: {
      next: 'stall',
      about: 'coordination',
      means: 'The deployments znode does not hold a number.',
      hint: 'set it to the highest n of its d-<n> children',
    },
    DEPLOYMENTS_BEHIND: {
      next: 'stall',
      about: 'coordination',
      means: 'The deployments znode is behind its children, as after a restore.',
      hint: 'set it to the highest n of its d-<n> children',
    },
    TARGET_WENT_BACK: {
      next: 'stall',
      about: 'coordination',
      means:
        'The target in ZooKeeper is older than the one that this agent accepted last: ZooKeeper lost writes or was restored.',
      hint: 'what runs was kept; publish exactly that: gitfleet publish --again; if it is refused again, a clock of ZooKeeper was ahead: publish once more after that time',
    },
    ENSEMBLE_WENT_BACK: {
      next: 'stall',
      about: 'coordination',
      means: 'In the log only: ZooKeeper has lost transactions that this client had seen.',
      hint: 'find out whether ZooKeeper was restored or wiped, then: gitfleet publish --again (publishes what the agents show)',
    },
    NODE_WENT_BACK: {
      next: 'stall',
      about: 'coordination',
      means: 'In the log only: a znode is older than it was before.',
      hint: 'find out whether ZooKeeper was restored or wiped, then publish the commit that should run',
    },
  }) as const satisfies CodeRows;
