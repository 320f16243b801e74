import type { CodeRows } from './row.ts';

/** The target apart from its commit. Every agent judges it again, by its own settings. */
export const targetCodes = () =>
  ({
    EMPTY: {
      next: 'stall',
      about: 'target',
      means: 'The value is empty where a target is expected.',
      hint: 'write one JSON object, for example with `gitfleet publish`',
    },
    SIZE: {
      next: 'stall',
      about: 'target',
      means: 'The value is larger than a target may be.',
      hint: 'write one JSON object, for example with `gitfleet publish`',
    },
    ENCODING: {
      next: 'stall',
      about: 'target',
      means: 'The value is not UTF-8 text, or starts with a byte order mark.',
      hint: 'write the value as UTF-8 without a byte order mark',
    },
    DUPLICATE: {
      next: 'stall',
      about: 'target',
      means: 'A member appears twice in the JSON object.',
      hint: 'write one JSON object, for example with `gitfleet publish`',
    },
    JSON: {
      next: 'stall',
      about: 'target',
      means: 'The value is not valid JSON.',
      hint: 'write one JSON object, for example with `gitfleet publish`',
    },
    SHAPE: {
      next: 'stall',
      about: 'target',
      means: 'The JSON object lacks a member of a target, has an unknown one, or one of the wrong type.',
      hint: 'write the members url, commitId and relativePath as strings, and no others beside gitfleet',
    },
    MUST_UNKNOWN: {
      next: 'stall',
      about: 'target',
      means: 'The target demands a feature that this version of gitfleet does not know.',
      hint: 'update gitfleet here, or publish without these members in gitfleet.must',
    },
    URL: {
      next: 'stall',
      about: 'target',
      means: 'The repository url is missing or not valid.',
      hint: 'give a url such as https://host/team/shop.git or ssh://git@host/team/shop.git',
    },
    SCHEME: {
      next: 'stall',
      about: 'target',
      means: 'The url uses a scheme other than https or ssh, and no listed prefix allows it.',
      hint: 'publish an https or ssh url, or list the prefix in the settings of the agents (agent.allowUrls)',
    },
    CREDENTIALS: {
      next: 'stall',
      about: 'target',
      means: 'The url contains a password or a user name that does not belong there.',
      hint: 'take it out of the url; the settings of the agents give credentials by prefix (agent.credentials)',
    },
    HOST: {
      next: 'stall',
      about: 'target',
      means: 'The host of the url is not a valid name, or is a local address that no listed prefix allows.',
      hint: 'check the host; to allow a local one, list the prefix in the settings of the agents (agent.allowUrls)',
    },
    NOT_ALLOWED: {
      next: 'stall',
      about: 'target',
      means: 'The settings of this agent do not allow the repository url.',
      hint: 'publish the url that your agents are set up for, or list its prefix in their settings (agent.allowUrls)',
    },
    PROTOCOL_REFUSED: {
      next: 'stall',
      about: 'target',
      means: 'The settings of this agent do not allow the protocol of the url.',
      hint: 'list a prefix of this protocol in the settings of the agent, or publish an https or ssh url',
    },
    COMMIT: {
      next: 'stall',
      about: 'target',
      means: 'The commit id is not a full one.',
      hint: 'give the full lower-case id, as `git rev-parse HEAD` prints it',
    },
    COMMIT_ID: {
      next: 'stall',
      about: 'target',
      means: 'Git was asked about something that is not a full commit id.',
      hint: 'publish the full lower-case id of a commit',
    },
    OBJECT_FORMAT: {
      next: 'stall',
      about: 'target',
      means: 'The commit id uses another hash than the repository or the store of this app.',
      hint: 'publish an id in the hash of the repository (40 digits: sha1, 64 digits: sha256)',
    },
    PATH: {
      next: 'stall',
      about: 'target',
      means: 'The relativePath is missing or not valid.',
      hint: 'give plain segments below the root of the agents, such as shop/web',
    },
    RESERVED: {
      next: 'stall',
      about: 'target',
      means: "The relativePath leads into the agent's own directories.",
      hint: 'choose another relativePath',
    },
    NESTED: {
      next: 'stall',
      about: 'target',
      means: 'The relativePath lies below or above another link of this agent.',
      hint: 'choose another relativePath, or remove the old link',
    },
  }) as const satisfies CodeRows;
