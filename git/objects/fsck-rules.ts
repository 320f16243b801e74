/**
 * What git fsck says of the objects of a commit and what does not matter for a deployment: dates and names in old
 * commits, and modes of old trees that have a zero in front, which git reads as the same modes. An agent's fetch and the
 * gate of a push (check-push.ts) ask with the same list, so that a gate lets nothing through that an agent refuses.
 */
const IGNORED = [
  'badTimezone',
  'badDate',
  'badDateOverflow',
  'badEmail',
  'badName',
  'missingEmail',
  'missingNameBeforeEmail',
  'missingSpaceBeforeDate',
  'missingSpaceBeforeEmail',
  'multipleAuthors',
  'zeroPaddedDate',
  'zeroPaddedFilemode',
  'missingTaggerEntry',
  'badTagName',
];

/** As settings of `git fetch`. */
export const FSCK_SETTINGS: readonly string[] = IGNORED.map((message) => `fetch.fsck.${message}=ignore`);

/** As the option that `git fetch` gives to `git index-pack`. */
export const FSCK_STRICT = `--strict=${IGNORED.map((message) => `${message}=ignore`).join(',')}`;
