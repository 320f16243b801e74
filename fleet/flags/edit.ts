import { applyEdits, modify } from 'jsonc-parser';
import { FleetError } from '../../runtime/errors.ts';
import { type Flag, type Flags, VARIANT_NAME } from '../../schemas/flags.ts';
import { isPlain, type Share, sharesOf } from './fractional.ts';

/** What a person asks of one flag. */
export type WantedSetting =
  | { readonly kind: 'variant'; readonly variant: string }
  /** Whole percent of the targeting keys that get `on`; all others get `off`. */
  | { readonly kind: 'share'; readonly percent: number };

/** `on`, `off`, `25%` or the name of a variant. @throws FleetError USAGE */
export function parseWanted(word: string): WantedSetting {
  const percent = /^(\d{1,3})%$/.exec(word)?.[1];
  if (percent !== undefined && Number(percent) <= 100) return { kind: 'share', percent: Number(percent) };
  if (VARIANT_NAME.test(word)) return { kind: 'variant', variant: word };
  throw FleetError.of(
    'USAGE',
    `${JSON.stringify(word)} is no value of a flag`,
    'give on, off, a share such as 25%, or a variant',
  );
}

/**
 * The document's text with one flag changed. Only the members that the change speaks about are touched: everything else
 * in the text stays byte for byte, what a newer version wrote in it included.
 *
 * @param variants of a new flag that is not plainly on or off; each has its own name as its value.
 * @throws FleetError FLAG_VARIANT where the flag has no such variant; FLAG_RULE where it has a rule that this version does
 *   not know, which may only be switched off.
 */
export function withFlag(flags: Flags, name: string, wanted: WantedSetting, variants: readonly string[] = []): string {
  const flag = flags.flags.get(name);
  if (!flag) return edit(flags.text, ['flags', name], newFlag(flags, name, wanted, variants));
  checkRule(name, flag, wanted);
  const { defaultVariant, targeting } = membersOf(name, flag, wanted);
  const rule = sameRule(flag.targeting, targeting)
    ? flags.text
    : edit(flags.text, ['flags', name, 'targeting'], targeting);
  return edit(edit(rule, ['flags', name, 'defaultVariant'], defaultVariant), ['flags', name, 'state'], 'ENABLED');
}

/** The document's text with a flag as it was at another time; null: without it. */
export function withDefinition(flags: Flags, name: string, definition: string | null): string {
  return edit(flags.text, ['flags', name], definition === null ? undefined : JSON.parse(definition));
}

/** The text with these members in its metadata. */
export const withMetadata = (text: string, members: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(members).reduce(
    (edited, [member, value]) => edit(edited, ['metadata', member], value),
    hasOddMetadata(text) ? edit(text, ['metadata'], {}) : text,
  );

/** Another tool wrote something that has no members: it would stop every change. */
function hasOddMetadata(text: string): boolean {
  if (text === '') return false;
  const { metadata } = JSON.parse(text) as { metadata?: unknown };
  return metadata !== undefined && (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata));
}

function newFlag(flags: Flags, name: string, wanted: WantedSetting, variants: readonly string[]): object {
  if (flags.unusable.some((each) => each.name === name)) {
    const hint = 'another program wrote it: remove it from the document, or choose another name';
    throw FleetError.of('FLAG_RULE', `the flag ${name} cannot be read by this version`, hint);
  }
  const known =
    variants.length > 0 ? Object.fromEntries(variants.map((each) => [each, each])) : { on: true, off: false };
  const flag: Flag = { state: 'ENABLED', variants: known };
  const { defaultVariant, targeting } = membersOf(name, flag, wanted);
  return { ...flag, defaultVariant, ...(targeting === undefined ? {} : { targeting }) };
}

interface Members {
  readonly defaultVariant: string;
  readonly targeting: { readonly fractional: readonly Share[] } | undefined;
}

function membersOf(name: string, flag: Flag, wanted: WantedSetting): Members {
  if (wanted.kind === 'variant') {
    return { defaultVariant: variantIn(name, flag, wanted.variant), targeting: undefined };
  }
  const [on, off] = [variantIn(name, flag, 'on'), variantIn(name, flag, 'off')];
  if (wanted.percent === 0 || wanted.percent === 100) {
    return { defaultVariant: wanted.percent === 0 ? off : on, targeting: undefined };
  }
  const shares: readonly Share[] = [
    [on, wanted.percent],
    [off, 100 - wanted.percent],
  ];
  return { defaultVariant: off, targeting: { fractional: isOffFirst(flag) ? shares.toReversed() : shares } };
}

/**
 * `on` comes first, where it was not second before: whichever place it has, raising its weight takes no key out, and
 * changing the place would (fractional.ts).
 */
function isOffFirst({ targeting }: Flag): boolean {
  const before = sharesOf(targeting)?.map(([variant]) => variant) ?? [];
  return before[0] === 'off' && before.includes('on');
}

function variantIn(name: string, { variants }: Flag, variant: string): string {
  if (Object.hasOwn(variants, variant)) return variant;
  const known = Object.keys(variants).slice(0, 10).join(', ');
  throw FleetError.of('FLAG_VARIANT', `the flag ${name} has no variant ${variant}`, `its variants: ${known}`);
}

function checkRule(name: string, flag: Flag, wanted: WantedSetting): void {
  if (isPlain(flag.targeting) || sharesOf(flag.targeting)) return;
  if (wanted.kind === 'variant' && wanted.variant === 'off') return;
  throw FleetError.of(
    'FLAG_RULE',
    `the flag ${name} has a targeting rule that this version does not know`,
    `switch it off: gitfleet flag set ${name} off; or change it with the program that wrote the rule`,
  );
}

const sameRule = (before: unknown, after: unknown): boolean =>
  after === undefined ? isPlain(before) : JSON.stringify(before) === JSON.stringify(after);

const FORMAT = { formattingOptions: { insertSpaces: true, tabSize: 2, eol: '\n' } };
const EMPTY = '{\n  "$schema": "https://flagd.dev/schema/v0/flags.json",\n  "flags": {},\n  "metadata": {}\n}\n';

/** Undefined removes the member. */
function edit(text: string, path: string[], value: unknown): string {
  const from = text === '' ? EMPTY : text;
  return applyEdits(from, modify(from, path, value, FORMAT));
}
