import { checkHold, checkQuarantine, quarantinedIn } from '../fleet/admission.ts';
import type { Code } from '../runtime/codes.ts';
import { classify, FleetError } from '../runtime/errors.ts';
import type { Brake, Hold, Quarantined } from '../schemas/hold.ts';
import { refuse } from '../schemas/refusal.ts';
import { parseReleaseFile } from '../schemas/settings/release-file.ts';
import { RELEASE_FILE } from '../schemas/steps.ts';
import type { CommitId } from '../schemas/values.ts';

/** What a gate reads for one commit. Each may fail, and then there is no answer. */
export interface GateParts {
  /** The two brakes of the app as they were read, and when that was by the clock of the ensemble. */
  readonly readBrakes: () => Promise<{
    readonly now: number;
    readonly hold: Brake<Hold | null>;
    readonly quarantine: Brake<readonly Quarantined[]>;
  }>;
  /** Which of these commits the pushed one contains. */
  readonly contains: (commitIds: readonly CommitId[]) => Promise<readonly CommitId[]>;
  /** Whether the pusher says that the quarantined commits it contains are fixed. */
  readonly force: boolean;
  readonly readReleaseFile: () => Promise<{ kind: 'file'; content: Buffer } | { kind: 'other' } | null>;
  /** Checks for what an agent would refuse to write. @throws FleetError */
  readonly checkContent: () => Promise<void>;
}

/** `refused`: it could not be deployed. `unknown`: there was no answer. */
export type GateAnswer =
  | { readonly kind: 'open' }
  | { readonly kind: 'refused' | 'unknown'; readonly failure: FleetError };

/** Codes that are about the commit or the app. Any other code only means that we could not find out. */
const REFUSALS: readonly Code[] = [
  'HOLD',
  'QUARANTINED',
  'RELEASE_FILE',
  'UNSAFE_TREE',
  'SUBMODULES',
  'LFS_POINTERS',
  'TOO_LARGE',
];

/** Whether a commit could be deployed if it were pushed now. What the repository alone can tell is checked first. */
export async function askGate(parts: GateParts, commitId: string): Promise<GateAnswer> {
  try {
    await parts.checkContent();
    checkReleaseFile(await parts.readReleaseFile());
    const { hold, quarantine, now } = await parts.readBrakes();
    checkHold(hold, now);
    const commits = quarantinedIn(quarantine).map((each) => each.commitId);
    if (!parts.force) checkQuarantine(quarantine, commitId, await parts.contains(commits));
    return { kind: 'open' };
  } catch (error) {
    const failure = classify(error);
    return { kind: REFUSALS.includes(failure.code) ? 'refused' : 'unknown', failure };
  }
}

function checkReleaseFile(found: Awaited<ReturnType<GateParts['readReleaseFile']>>): void {
  if (found === null) return;
  const judged =
    found.kind === 'file'
      ? parseReleaseFile(found.content.toString('utf8'))
      : refuse('RELEASE_FILE', `${RELEASE_FILE} is no file`, `make ${RELEASE_FILE} a plain file, or remove it`);
  if (!judged.ok) throw new FleetError(judged.failure);
}
