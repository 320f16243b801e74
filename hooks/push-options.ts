import { visible } from '../runtime/safe-text.ts';
import { formatDuration, parseDuration } from '../schemas/duration.ts';

/** The requests made with `git push -o gitfleet.<name>=<value>`. */
export interface PushOptions {
  /** False: return as soon as the target is written. */
  readonly wait: boolean;
  /** The reason, for history; null: the title of the commit. */
  readonly message: string | null;
  /**
   * Why the quarantined commits that it contains are fixed, as with `gitfleet publish --force -m WHY`; null: not given.
   */
  readonly force: string | null;
  /** How long to follow the fleet, ms. */
  readonly timeoutMs: number;
  /** Lines for the pusher about options that were not understood. They never make a push fail. */
  readonly warnings: readonly string[];
}

/** About as long as a person watches a push; `gitfleet publish` follows longer. */
const FOLLOW_MS = 60_000;
const MIN_MS = 1_000;
/** The connection of the push stays open for this time. */
const MAX_MS = 3_600_000;
const MAX_OPTIONS = 100;

const KNOWN = 'gitfleet.wait, gitfleet.message, gitfleet.timeout, gitfleet.force';

/** Options without our prefix belong to other tools and are ignored. If one is given twice, the last one counts. */
export function parsePushOptions(options: readonly string[]): PushOptions {
  const warnings: string[] = [];
  let [wait, timeoutMs] = [true, FOLLOW_MS];
  let [message, force]: (string | null)[] = [null, null];
  for (const option of options.slice(0, MAX_OPTIONS)) {
    const [, name, value] = /^gitfleet\.([^=]*)(?:=(.*))?$/s.exec(option) ?? [];
    if (name === undefined) continue;
    if (name === 'wait' && (value === 'no' || value === 'yes')) wait = value === 'yes';
    else if (name === 'message' && value) message = value;
    else if (name === 'force' && value) force = value;
    else if (name === 'timeout' && isPatience(value)) timeoutMs = parseDuration(value) as number;
    else warnings.push(warning(name, value));
  }
  return { wait, message: message ?? null, force: force ?? null, timeoutMs, warnings };
}

const WANTED: Record<string, string> = {
  wait: 'must be yes or no',
  message: 'must be text',
  force: 'must be text: why the commit may be deployed',
  timeout: `must be a duration from ${formatDuration(MIN_MS)} to ${formatDuration(MAX_MS)}, such as 2m`,
};

function warning(name: string, value: string | undefined): string {
  const given = `"${visible(value ?? '', 60)}"`;
  const why = Object.hasOwn(WANTED, name) ? `${WANTED[name]}, not ${given}` : `is unknown; the options are ${KNOWN}`;
  return `gitfleet: push option gitfleet.${visible(name, 60)} ${why}; the push ignores it`;
}

function isPatience(value: string | undefined): value is string {
  const ms = parseDuration(value ?? '');
  return ms !== null && ms >= MIN_MS && ms <= MAX_MS;
}

/** Reads them where git puts them for a hook. An invalid count means none. */
export function readPushOptions(environment: Readonly<Record<string, string | undefined>>): string[] {
  const count = Number(environment['GIT_PUSH_OPTION_COUNT'] ?? 0);
  if (!Number.isSafeInteger(count) || count < 0) return [];
  const names = Array.from({ length: Math.min(count, MAX_OPTIONS) }, (_, at) => `GIT_PUSH_OPTION_${at}`);
  return names.flatMap((name) => environment[name] ?? []);
}
