import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { FleetError } from '../../runtime/errors.ts';
import type { Refused } from '../../schemas/refusal.ts';
import { parseReleaseFile } from '../../schemas/settings/release-file.ts';
import { combineSteps, RELEASE_FILE, type ReleaseSteps } from '../../schemas/steps.ts';
import { sharedPatterns } from '../disk/shared-paths.ts';

/** What this server does with a release: its own settings, and the commit's `gitfleet.yml` if they allow that. */
export interface StepsSource {
  readonly own: ReleaseSteps;
  /** Whether a commit may name steps. */
  readonly allowCommitted: boolean;
}

/** @throws FleetError RELEASE_FILE: the file exists and is not valid. */
export async function stepsOf({ own, allowCommitted }: StepsSource, release: string): Promise<ReleaseSteps> {
  if (!allowCommitted) return own;
  const text = await readReleaseFile(join(release, RELEASE_FILE));
  if (text === null) return own;
  const parsed = parseReleaseFile(text);
  if (!parsed.ok) throw new FleetError((parsed as Refused).failure);
  return combineSteps(own, parsed.steps);
}

/** A release must be prepared again when this changes. Empty: there is nothing to prepare. */
export function preparationKey({ own, allowCommitted }: StepsSource): string {
  if (own.prepare === undefined && own.shared.length === 0 && !allowCommitted) return '';
  return JSON.stringify([own.prepare?.command ?? null, own.shared, allowCommitted]);
}

/** Patterns of files that belong in a release without being part of its commit. */
export const patternsOf = (steps: ReleaseSteps): string[] => [...steps.generated, ...sharedPatterns(steps.shared)];

/**
 * Null: the commit has none. The release was verified, so this is the commit's file. A link there could lead anywhere.
 */
async function readReleaseFile(file: string): Promise<string | null> {
  try {
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const found = await handle.stat();
      if (!found.isFile()) throw notAFile();
      if (found.size > MAX_BYTES) throw notAFile(`larger than ${MAX_BYTES} bytes`);
      return await handle.readFile('utf8');
    } finally {
      await handle.close();
    }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return null;
    if (code === 'ELOOP' || code === 'EISDIR') throw notAFile();
    throw error;
  }
}

const MAX_BYTES = 256 * 1024;

const notAFile = (why = 'not a plain file'): FleetError =>
  FleetError.of('RELEASE_FILE', `${RELEASE_FILE} of the commit is ${why}`, 'commit it as a plain file, or remove it');
