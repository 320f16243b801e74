import * as z from 'zod';
import { classify } from '../../runtime/errors.ts';
import { once } from '../../runtime/once.ts';
import { type Refused, refuse } from '../refusal.ts';
import { RELEASE_FILE, type ReleaseSteps, stepMembers } from '../steps.ts';
import { zodMessages } from '../text/zod-messages.ts';
import { parseSettingsFile } from './settings-file.ts';
import { sayProblems } from './settings-problems.ts';

/** `gitfleet.yml` in a commit: strict, so that a misspelt step is refused where people still see it. */
const releaseFile = once(() => z.strictObject(stepMembers()));

/**
 * Judges the text of a commit's `gitfleet.yml`: for agents, and for a gate that refuses the push. Pure; never throws.
 * An empty file is valid and sets nothing. Code RELEASE_FILE, with every wrong member and the nearest known one.
 */
export function parseReleaseFile(text: string): { readonly ok: true; readonly steps: ReleaseSteps } | Refused {
  try {
    const parsed = releaseFile().safeParse(parseSettingsFile(text, RELEASE_FILE) ?? {}, { error: zodMessages });
    if (parsed.success) return { ok: true, steps: parsed.data };
    return refused(
      sayProblems(releaseFile(), parsed.error.issues).message.replaceAll('unknown setting', 'unknown member'),
    );
  } catch (error) {
    return refused(classify(error).message);
  }
}

const refused = (reason: string): Refused =>
  refuse('RELEASE_FILE', reason.startsWith(RELEASE_FILE) ? reason : `${RELEASE_FILE}: ${reason}`);
