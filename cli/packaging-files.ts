import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The files of packaging/: one source for the Debian package and `gitfleet agent install`. */
type PackagingFile = `gitfleet-${'agent' | 'serve' | 'webhooks'}.service` | 'gitfleet.yml' | '50-gitfleet.rules';

/** Its path in this installation. */
export const packagingFile = (name: PackagingFile): string =>
  fileURLToPath(new URL(`../../packaging/${name}`, import.meta.url));

/** Where the build leaves the page that `gitfleet serve` shows. */
export const pageDirectory = (): URL => new URL('../../dist/page/', import.meta.url);

export const UNIT = 'gitfleet-agent.service';
export const UNIT_FILE = `/etc/systemd/system/${UNIT}`;
/** The unit of the Debian package. */
export const PACKAGED_UNIT = `/usr/lib/systemd/system/${UNIT}`;

/** The commit that this was built from, with `-dirty` if files differed from it; null: not known. */
export function builtFrom(): string | null {
  try {
    const text = readFileSync(new URL('../../dist/build.json', import.meta.url), 'utf8');
    return (JSON.parse(text) as { commit: string | null }).commit;
  } catch {
    return null;
  }
}

interface Facts {
  /** The unit's command: a program, and what precedes its arguments. */
  readonly gitfleet: string;
  readonly user: string;
  /** Directories that the unit opens for writing, in addition to the state directory that systemd creates. */
  readonly writes: readonly string[];
  /** The units that the agent may restart. */
  readonly units: readonly string[];
}

/** The user that a unit runs as; null if it names none. */
export const userOfUnit = (text: string): string | null => /^User=(\S+)$/m.exec(text)?.[1] ?? null;

/** A template with its placeholders replaced. Every placeholder of the template must be given. */
export function fill(name: PackagingFile, facts: Partial<Facts>): string {
  const blanks: Record<string, string | undefined> = {
    GITFLEET: facts.gitfleet,
    USER: facts.user,
    WRITES: facts.writes && writable(facts.writes),
    UNITS: facts.units && JSON.stringify(facts.units),
  };
  return readFileSync(packagingFile(name), 'utf8').replace(/@([A-Z]+)@/g, (blank, key: string) => {
    const value = blanks[key];
    if (value === undefined) throw new Error(`${name}: nothing was given for ${blank}`);
    return value;
  });
}

/** Lines of a unit. A missing directory does not prevent the start: the agent says which one is missing. */
export const writable = (directories: readonly string[]): string =>
  directories.map((directory) => `ReadWritePaths=${unitWord(`-${directory}`)}`).join('\n');

/** A word of a unit file: systemd expands `%` and `$`, and splits at blanks. */
export const unitWord = (word: string): string => {
  const text = word.replaceAll('%', '%%').replace(/[\\"]/g, (found) => `\\${found}`);
  return /^[A-Za-z0-9_.,:=+@/%-]+$/.test(text) ? text : `"${text}"`;
};
