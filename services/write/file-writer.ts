import { readFile, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Clock } from '../../runtime/clock.ts';
import { syncDirectory, writeAside } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { howItEnded, run } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { Format } from '../../schemas/settings/service-settings.ts';
import { formatList } from './formats.ts';
import type { Apply } from './keep-applied.ts';
import { untilWorkersGone, workersOf } from './old-workers.ts';

export interface FileRule {
  readonly service: string;
  readonly format: Format;
  readonly out: string;
  /** Checks the candidate, whose name is in GITFLEET_FILE. If it fails, the file stays as it is. */
  readonly check?: readonly string[] | undefined;
  /** Makes a program read the file. Without it that moment is unknown, so nothing is acknowledged. */
  readonly reload?: readonly string[] | undefined;
  /** The pid file of the program that reads it: after the reload, its earlier workers are waited for. */
  readonly pidFile?: string | undefined;
}

const COMMAND_MS = 60_000;
const OLD_WORKERS_MS = 60_000;

/**
 * Writes a list into a file: aside, fsynced, checked, renamed. An unchanged file is not written, and nothing is
 * reloaded.
 * @param environment PATH and the like, for check and reload.
 */
export function createFileWriter(rule: FileRule, environment: Readonly<Record<string, string>>, clock: Clock): Apply {
  /** Whether the current content still has to be reloaded. */
  let owes = false;
  return async (list, signal) => {
    const content = formatList(rule.format, rule.service, list);
    const before = await readFile(rule.out, 'utf8').catch(() => null);
    if (content !== before) {
      await replace(rule, content, environment, clock, signal);
      owes = true;
    }
    if (!rule.reload) return false;
    if (!owes) return true;
    const workers = rule.pidFile === undefined ? [] : await workersOf(rule.pidFile);
    await command('reload', rule.reload, rule, environment, clock, signal);
    owes = false;
    return await untilWorkersGone(workers, OLD_WORKERS_MS, clock, signal);
  };
}

async function replace(
  rule: FileRule,
  content: string,
  environment: Readonly<Record<string, string>>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const candidate = `${rule.out}.new`;
  await writeAside(candidate, content, 0o644);
  try {
    const file = { ...environment, GITFLEET_FILE: candidate };
    if (rule.check) await command('check', rule.check, rule, file, clock, signal);
  } catch (error) {
    await rm(candidate, { force: true });
    throw error;
  }
  await rename(candidate, rule.out);
  await syncDirectory(dirname(rule.out));
}

async function command(
  what: 'check' | 'reload',
  argv: readonly string[],
  rule: FileRule,
  env: Readonly<Record<string, string>>,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const result = await run(argv, {
    ...{ env: { ...env }, clock, timeoutMs: COMMAND_MS, gentleMs: 2_000, signal },
    ...{ maxBytes: 8_192, keep: 'tail' as const },
  });
  if (result.ended === 'exit' && result.exitCode === 0) return;
  signal.throwIfAborted();
  const said = clean(`${result.stderr.toString('utf8')}${result.stdout.toString('utf8')}`.trim().slice(-500));
  const how = howItEnded(result, COMMAND_MS);
  throw FleetError.of('PROXY', `the ${what} of ${rule.out}: ${argv[0]} ${how}${said === '' ? '' : `: ${said}`}`);
}
