import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { parseStrictJson } from './text/strict-json.ts';

/**
 * `flags`: all flags of an app as one document in flagd's format (https://flagd.dev/reference/flag-definitions/), so
 * that one watch shows one state of all of them and every flagd provider can read it. Members that this version does
 * not know are kept: fleet/flags/edit.ts changes the text, not the value.
 */
export const MAX_FLAGS_BYTES = 65_536;

/** A flag's name is part of commands and of znode paths. */
export const FLAG_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;
/** A variant's name is typed as a word: `gitfleet flag set NAME VARIANT`. */
export const VARIANT_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$/;

const value = () => z.union([z.boolean(), z.string(), z.number(), z.record(z.string(), z.unknown())]);

const flag = once(() =>
  z.looseObject({
    state: z.enum(['ENABLED', 'DISABLED']),
    variants: z.record(z.string(), value()),
    /** Absent or null: the program's own default. */
    defaultVariant: z.string().nullish(),
    /** A rule in JSONLogic. Absent, null and `{}`: everyone gets the default variant. */
    targeting: z.unknown().optional(),
  }),
);
export type Flag = z.infer<ReturnType<typeof flag>>;

/** The counter ends here: gitfleet never wrote a larger number. */
const MAX_CHANGES = 10 ** 14;
/**
 * The levels of a document; a rule in JSONLogic has about ten. Without a bound, one could be read and not written
 * again.
 */
const MAX_DEPTH = 200;

/** Who last changed it. `version` counts the changes, and is the number of its record `f-<n>`. */
const metadata = once(() =>
  z.looseObject({
    version: z.int().nonnegative().max(MAX_CHANGES).catch(0),
    by: z.string().catch(''),
    reason: z.string().catch(''),
    at: z.number().catch(0),
    /** The directory of plain znodes that shows these flags (docs/flags.md); absent: none. */
    plain: z.string().optional().catch(undefined),
  }),
);
const NO_METADATA = { version: 0, by: '', reason: '', at: 0 };

const document = once(() =>
  z.looseObject({
    flags: z.record(z.string(), z.unknown()),
    metadata: metadata().catch(NO_METADATA).default(NO_METADATA),
  }),
);

export interface Flags {
  /** By name. Without flags whose name or shape this version does not know. */
  readonly flags: ReadonlyMap<string, Flag>;
  /** Names in the document that cannot be used, with the reason. */
  readonly unusable: readonly { readonly name: string; readonly reason: string }[];
  readonly metadata: z.infer<ReturnType<typeof metadata>>;
  /** The document as written; an edit starts from it. */
  readonly text: string;
}

export const NO_FLAGS: Flags = { flags: new Map(), unusable: [], metadata: NO_METADATA, text: '' };

/** Total: `unreadable` says why the bytes are not a document. Empty bytes are a document without flags. */
export function parseFlags(data: Buffer): { readonly value: Flags; readonly unreadable: string | null } {
  if (data.length === 0) return { value: NO_FLAGS, unreadable: null };
  const read = parseStrictJson(data, MAX_FLAGS_BYTES);
  if (!read.ok) return { value: NO_FLAGS, unreadable: `the flags znode: ${read.failure.reason}` };
  if (isDeeper(read.value, MAX_DEPTH))
    return { value: NO_FLAGS, unreadable: `the flags znode: more than ${MAX_DEPTH} levels` };
  const parsed = document().safeParse(read.value);
  if (!parsed.success)
    return { value: NO_FLAGS, unreadable: 'the flags znode holds something that is no flag document' };
  const flags = new Map<string, Flag>();
  const unusable: { name: string; reason: string }[] = [];
  for (const [name, given] of Object.entries(parsed.data.flags)) {
    const one = flag().safeParse(given);
    const reason = FLAG_NAME.test(name) ? whyNot(one) : 'its name is no flag name';
    if (reason === null && one.success) flags.set(name, one.data);
    else unusable.push({ name, reason: reason ?? '' });
  }
  return { value: { flags, unusable, metadata: parsed.data.metadata, text: data.toString('utf8') }, unreadable: null };
}

const isDeeper = (value: unknown, levels: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (levels === 0 || Object.values(value).some((each) => isDeeper(each, levels - 1)));

function whyNot(one: z.ZodSafeParseResult<Flag>): string | null {
  if (!one.success) return 'it is not a flag as flagd defines one';
  const { defaultVariant, variants } = one.data;
  if (defaultVariant == null || Object.hasOwn(variants, defaultVariant)) return null;
  return 'its defaultVariant is none of its variants';
}

/** Parsed here, so that no reader of records gets text that is not a flag. */
const definition = () =>
  z
    .string()
    .refine((text) => isDefinition(text))
    .nullable();

function isDefinition(text: string): boolean {
  try {
    return flag().safeParse(JSON.parse(text)).success;
  } catch {
    return false;
  }
}

/** `flag-changes/f-<n>`: one change of one flag. Read leniently. */
export const flagChange = once(() =>
  z.object({
    number: z.int().positive(),
    flag: z.string(),
    /** The flag's definition as JSON text; null: there was none, or there is none any more. */
    before: definition(),
    after: definition(),
    /** Which of the two is null because it was too large to keep. */
    omitted: z.array(z.enum(['before', 'after'])).default([]),
    by: z.string().default(''),
    reason: z.string().default(''),
    at: z.number().default(0),
    via: z.enum(['set', 'rollback', 'adopted', 'other']).catch('other').default('other'),
  }),
);
export type FlagChange = z.infer<ReturnType<typeof flagChange>>;

/**
 * For one definition in a record: each record has two, and the newest 200 records are kept. A larger one is omitted.
 */
export const MAX_DEFINITION_BYTES = 4_096;

export const flagChangeName = (n: number): string => `f-${n}`;
