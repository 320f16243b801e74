import * as z from 'zod';

/**
 * What is wrong with a value that a person wrote, if its schema has no message of its own: zod's messages speak of
 * types and patterns to the author of the schema. Each message follows the name of the value and a colon.
 */
export const zodMessages: z.core.$ZodErrorMap = (issue) => {
  if (issue.code === 'invalid_type') return issue.input === undefined ? 'is missing' : wants(issue);
  if (issue.code === 'too_small') return `must be at least ${issue.minimum}${of(issue.origin)}`;
  if (issue.code === 'too_big') return `must be at most ${issue.maximum}${of(issue.origin)}`;
  if (issue.code === 'invalid_value') return `must be ${issue.values.map(String).join(' or ')}`;
  return undefined;
};

const KINDS: Readonly<Record<string, string>> = {
  string: 'must be text; quote numbers and true or false',
  int: 'must be a whole number',
  number: 'must be a number',
  boolean: 'must be true or false',
  array: 'must be a list',
  record: 'must be names with a value each',
};

function wants({ expected, inst }: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidType>): string | undefined {
  if (!(inst instanceof z.ZodObject)) return KINDS[expected];
  return `is no list of settings such as ${Object.keys(inst.shape).slice(0, 2).join(' and ')}`;
}

const of = (origin: string): string => ({ string: ' characters', array: ' of them', record: ' of them' })[origin] ?? '';
