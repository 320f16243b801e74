import { visible } from '../../runtime/safe-text.ts';
import { shellWord } from '../../runtime/shell-word.ts';

/** What was typed after `gitfleet plan`: options by their names in commander, and the revision. */
interface Typed {
  readonly options: Readonly<Record<string, unknown>>;
  readonly rev: string | undefined;
}

/** The `gitfleet publish` that does what `gitfleet plan` was asked about, for a shell in the same directory. */
export function publishWords({ options, rev }: Typed): string {
  const valued = VALUED.flatMap(([name, flag]) => {
    const value = options[name];
    if (typeof value !== 'string') return [];
    // Whatever looks like an option is taken for a value only where it is attached.
    return value.startsWith('-') ? [`${flag}=${value}`] : [flag, value];
  });
  const typed = [...(rev === undefined ? [] : [rev]), ...valued, ...(options['check'] === false ? ['--no-check'] : [])];
  const force = options['force'] === true ? ' --force -m WHY' : '';
  return visible(`gitfleet publish${typed.map((word) => ` ${shellWord(word)}`).join('')}${force}`, 2_000);
}

/** Those that decide what is published, and where. */
const VALUED = [
  ['url', '--url'],
  ['relativePath', '--relative-path'],
  ['zookeeper', '--zookeeper'],
  ['app', '--app'],
  ['authFile', '--auth-file'],
  ['settings', '--settings'],
] as const;
