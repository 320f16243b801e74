/**
 * The complaints of `git fsck` that do not matter for a deployment: dates and names in old commits, and modes with a
 * leading zero in old trees, which git reads as the same modes. An agent's fetch and the gate of a push (check-push.ts)
 * use the same list, so a gate accepts nothing that an agent refuses.
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
