import { GIT_FAILPOINTS, type GitFailpointName } from '../../git/run/failpoints.ts';

/**
 * Named points where a crash would do the most harm, those of the git layer included. Off (a no-op) unless a test entry
 * passes a function to the composition. The crash tests kill the process there and assert that every name in this list
 * was hit.
 */
export const AGENT_FAILPOINTS = [
  'accept.remembered',
  'begin.remembered',
  'keep.remembered',
  'prepare.ended',
  'prepare.remembered',
  'pre-activate.ended',
  'swap.intended',
  'swap.aside',
  'swap.renamed',
  'swap.remembered',
  'activate.ended',
  'activate.remembered',
  'health.ended',
  'settle.remembered',
  'revert.intended',
  'back.intended',
  'back.remembered',
  'revert.ended',
  'revert.remembered',
  'recycle.forgotten',
  'remove.removed',
] as const;

export const FAILPOINTS = [...AGENT_FAILPOINTS, ...GIT_FAILPOINTS] as const;
export type FailpointName = (typeof AGENT_FAILPOINTS)[number] | GitFailpointName;
export type Failpoint = (name: FailpointName) => Promise<void> | void;
export const NO_FAILPOINT: Failpoint = () => {};
