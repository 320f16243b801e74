import { FleetError } from '../../runtime/errors.ts';
import { isTogether, type Policy, policy } from '../policy.ts';
import { refuse, shown } from '../refusal.ts';
import { suggest } from '../text/suggest.ts';
import { readYaml } from '../text/yaml-text.ts';
import { zodMessages } from '../text/zod-messages.ts';

/** A policy has only a few lines. */
const MAX_BYTES = 64 * 1024;

/**
 * The text of a policy file, YAML or JSON, judged strictly: an unknown member is an error that names the nearest one.
 * @param name the file's name, for the person who has to correct it.
 * @throws FleetError POLICY with every problem.
 */
export function parsePolicyFile(text: string, name: string): Policy {
  const read = readYaml(text, 'a policy', MAX_BYTES);
  if (!read.ok) throw refusal(read.problems.map((problem) => `${shown(name)}: ${problem}`));
  const parsed = policy().safeParse(read.value, { error: zodMessages });
  if (parsed.success) {
    // After the canary, a cutover is one wave.
    if (isTogether(parsed.data) && Object.hasOwn(read.value as object, 'maxParallel')) throw refusal([NO_PARALLEL]);
    return parsed.data;
  }
  throw refusal(
    parsed.error.issues.flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys')
        return [`${issue.path.map(String).join('.') || shown(name)}: ${issue.message}`];
      return issue.keys.map((key) => {
        const meant = suggest(key, Object.keys(policy().shape));
        return `unknown ${shown(key)}${meant ? `: did you mean ${meant}?` : ''}`;
      });
    }),
  );
}

const NO_PARALLEL =
  'maxParallel: cutover: together has no use for it, since all agents go at one instant; leave it out';

const refusal = (reasons: readonly string[]): FleetError => new FleetError(refuse('POLICY', reasons).failure);
