import type { CodeRows } from './row.ts';

/** What `gitfleet agent adopt` can find at the place to take over. */
export const adoptCodes = () =>
  ({
    NOTHING_THERE: {
      next: 'stall',
      about: 'request',
      means: 'Nothing is at this path, so there is nothing to adopt.',
      hint: 'check relativePath and --root; a first deployment needs no adopt',
    },
    ALREADY_OURS: {
      next: 'stall',
      about: 'request',
      means: 'The path is already a link of gitfleet.',
      hint: 'nothing to do',
    },
    NOT_A_CLONE: {
      next: 'stall',
      about: 'request',
      means: 'The directory is not a git clone, so its commit is unknown.',
      hint: 'move it away, then publish to this path; it was not touched',
    },
    NO_COMMIT: {
      next: 'stall',
      about: 'request',
      means: 'Nothing at this path names its commit.',
      hint: 'let a file REVISION there hold the full commit id, or move it away and publish',
    },
    NO_URL: {
      next: 'stall',
      about: 'request',
      means: 'The repository that the files came from is unknown.',
      hint: 'name the repository with --url',
    },
    NOT_CLEAN: {
      next: 'stall',
      about: 'request',
      means: 'The clone has files that its commit does not have, or files that differ from it.',
      hint: 'commit them, or move them out of the clone (ignored files too), and try again',
    },
    ASIDE_TAKEN: {
      next: 'stall',
      about: 'request',
      means: 'The name under which the clone would be kept is already in use.',
      hint: 'move it away: the clone gets that name',
    },
    FOREIGN_LINK: {
      next: 'stall',
      about: 'request',
      means: "The path is a link that does not lead to a release directory, or leads into the agent's own.",
      hint: 'move it away, then publish to this path; it was not touched',
    },
    CHANGED_MEANWHILE: {
      next: 'stall',
      about: 'request',
      means: 'The path changed while its release was prepared; it was not touched.',
      hint: 'stop the tool that works there (a cron job, a deployment), then adopt again',
    },
    NOT_ADOPTED: {
      next: 'stall',
      about: 'request',
      means: 'The link could not be put in place; what was there is there again.',
      hint: 'remove the cause and adopt again',
    },
    NOT_UNDONE: {
      next: 'stall',
      about: 'request',
      means: 'The link could not be put in place, and the directory could not be renamed back.',
      hint: 'rename the directory back by hand; the message names it',
    },
    ADOPTED_NOT_NOTED: {
      next: 'stall',
      about: 'request',
      means: 'The path was adopted, but its agent could not record it.',
      hint: 'remove the cause and start the agent: it continues from what the link shows; do not adopt again',
    },
  }) as const satisfies CodeRows;
