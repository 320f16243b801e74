/**
 * Named places where a crash would do most damage. A no-op unless a test passes a hook. The crash tests kill the
 * process in the hook and assert that every name of this list was hit.
 */
export const GIT_FAILPOINTS = [
  'store.made-aside',
  'store.set-aside',
  'copy.written',
  'copy.marked',
  'copy.packed',
  'copy.pinned',
  'bundle.received',
  'bundle.proved',
  'bundle.marked',
  'bundle.packed',
  'bundle.pinned',
  'fetch.before',
  'fetch.received',
  'fetch.pinned',
  'spare.admin-made',
  'spare.directory-made',
  'spare.dirty',
  'spare.parts-written',
  'spare.checked-out',
  'spare.some-written',
  'spare.all-written',
  'spare.head-moved',
  'spare.index-caught-up',
  'spare.proved',
  'move.marked',
  'move.renamed',
  'move.repaired',
  'remove.marked',
  'remove.renamed',
  'remove.deleted',
] as const;

export type GitFailpointName = (typeof GIT_FAILPOINTS)[number];
export type GitFailpoint = (name: GitFailpointName) => Promise<void> | void;
export const NO_GIT_FAILPOINT: GitFailpoint = () => {};
