import { parseDocument } from 'yaml';
import { FleetError } from '../runtime/errors.ts';
import { nearest } from './nearest.ts';
import { type Policy, policy } from './policy.ts';
import { refuse, shown } from './refusal.ts';

/** A policy is a handful of lines. */
const MOST_BYTES = 64 * 1024;

/**
 * The text of a policy file, YAML or JSON, judged strictly: an unknown member is an error that names the nearest one.
 * @throws FleetError POLICY with every problem.
 */
export function parsePolicyFile(text: string): Policy {
  if (Buffer.byteLength(text) > MOST_BYTES) throw refusal([`the file is larger than ${MOST_BYTES} bytes`]);
  const document = parseDocument(text, { prettyErrors: true, resolveKnownTags: false });
  const broken = [...document.errors, ...document.warnings];
  if (broken.length > 0) {
    throw refusal(
      broken.map(({ code, linePos }) => {
        const place = linePos ? `line ${linePos[0].line}, column ${linePos[0].col}` : 'somewhere';
        return `${place}: ${code.toLowerCase().replaceAll('_', ' ')}`;
      }),
    );
  }
  const parsed = policy.safeParse(readValue(document));
  if (parsed.success) return parsed.data;
  throw refusal(
    parsed.error.issues.flatMap((issue) => {
      if (issue.code !== 'unrecognized_keys')
        return [`${issue.path.map(String).join('.') || 'the file'}: ${issue.message}`];
      return issue.keys.map((key) => {
        const meant = nearest(key, Object.keys(policy.shape));
        return `unknown ${shown(key)}${meant ? `: did you mean ${meant}?` : ''}`;
      });
    }),
  );
}

function readValue(document: ReturnType<typeof parseDocument>): unknown {
  try {
    return document.toJS({ maxAliasCount: 0 });
  } catch {
    throw refusal(['aliases have no place in a policy']);
  }
}

const refusal = (reasons: readonly string[]): FleetError =>
  new FleetError(refuse('POLICY', reasons, 'docs/rollouts.md lists every member, its default and examples').failure);
