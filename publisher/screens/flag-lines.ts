import { isPlain, sharesOf } from '../../fleet/flags/fractional.ts';
import { visible } from '../../runtime/safe-text.ts';
import { type Flag, type FlagChange, type Flags, flagChangeName } from '../../schemas/flags.ts';
import { aligned, type Screen } from './columns.ts';
import { age } from './words.ts';

/** `on`, `off`, a variant, `25% on`, or the kind of rule that decides. */
export function settingWords({ state, targeting, defaultVariant }: Flag): string {
  if (state === 'DISABLED') return "disabled: each program's own default";
  if (isPlain(targeting)) return defaultVariant == null ? "each program's own default" : visible(defaultVariant, 100);
  const shares = sharesOf(targeting);
  const total = shares?.reduce((sum, [, weight]) => sum + weight, 0) ?? 0;
  if (!shares || total === 0) return 'by a targeting rule';
  if (shares.length === 2 && total === 100) return `${shares[0]?.[1]}% ${visible(String(shares[0]?.[0]), 100)}`;
  return shares.map(([variant, weight]) => `${visible(variant, 100)} ${weight}/${total}`).join(', ');
}

/** `gitfleet flag list`. */
export function flagLines(app: string, { flags, unusable, metadata }: Flags, screen: Screen): string[] {
  if (flags.size + unusable.length === 0) return [`${app}: no flags; next: gitfleet flag set NAME on`];
  const rows = [...flags].sort(([a], [b]) => (a < b ? -1 : 1));
  const shown = rows.map(([name, flag]) => [{ text: name }, { text: settingWords(flag) }]);
  const odd = unusable.slice(0, 20).map(({ name, reason }) => `${visible(name, 100)}: ${reason}`);
  return [...aligned(shown, screen), ...odd, ...changedLine(metadata, screen)];
}

function changedLine({ version, by, reason, at }: Flags['metadata'], { now }: Screen): string[] {
  if (version === 0) return [];
  const why = reason === '' ? '' : `: ${visible(reason, 300)}`;
  return [`${flagChangeName(version)}, ${age(now - at)} ago, by ${visible(by, 100)}${why}`];
}

/** `gitfleet flag set`, `remove` and `rollback`. */
export function flagChangeLines(
  app: string,
  name: string,
  change: FlagChange | null,
  after: Flag | undefined,
): string[] {
  const now = after === undefined ? 'removed' : settingWords(after);
  if (change === null) return [`${app}: ${name} is ${now} already`];
  const before = change.before === null ? 'new' : `was ${settingWords(JSON.parse(change.before) as Flag)}`;
  return [
    `${flagChangeName(change.number)}: ${name}: ${now} (${before})`,
    `next: gitfleet flag rollback ${flagChangeName(change.number)} takes it back`,
  ];
}

/** `gitfleet flag history`, newest first. */
export function flagHistoryLines(changes: readonly FlagChange[], screen: Screen): string[] {
  if (changes.length === 0) return ['no flag was changed yet'];
  const words = (definition: string | null) =>
    definition === null ? 'none' : settingWords(JSON.parse(definition) as Flag);
  return aligned(
    changes.map(({ number, flag, before, after, by, reason, at }) => [
      { text: flagChangeName(number), tone: 'strong' as const },
      { text: visible(flag, 100) },
      { text: `${words(before)} -> ${words(after)}` },
      { text: `${age(screen.now - at)} ago`, tone: 'faint' as const },
      { text: visible(by, 100) },
      { text: visible(reason, 300) },
    ]),
    screen,
  );
}
