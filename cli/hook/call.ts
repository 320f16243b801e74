import { type HookSettings, tlsVariables } from '../../hooks/hook-settings.ts';
import { classify } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { readSettings } from '../shell/settings.ts';

/**
 * The settings of one installation. The pusher's environment and the machine's settings file are not used: a push
 * deploys what the hook was installed for. @throws FleetError SETTINGS
 */
export async function settingsOfHook(hook: HookSettings): Promise<Settings> {
  const { zookeeper, app, authFile, settings } = hook;
  const named = { authFile: authFile ?? undefined, settings: settings ?? undefined };
  const signing = { signKey: hook.signKey ?? undefined, audience: hook.audience ?? undefined };
  const bundle = hook.bundle === null ? {} : { bundle: true, bundleInClear: hook.bundle === 'in-clear' };
  const flags = { zookeeper, app, ...named, ...signing, ...bundle };
  return await readSettings(flags, { environment: tlsVariables(hook) });
}

/** The hook's standard input, written by git. Reads about ten megabytes at most, more than any real push has. */
export async function readHookInput(): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of process.stdin) {
    chunks.push(chunk as Buffer);
    size += (chunk as Buffer).length;
    if (size > 10_000_000) break;
  }
  return Buffer.concat(chunks).toString('utf8');
}

/**
 * A failure on the pusher's terminal, in the form of the command line: what, code, reason, what to do. Foreign text
 * cannot add lines of its own.
 */
export function pushFailureLines(what: string, error: unknown): string[] {
  const { code, message, hint } = classify(error);
  const [first = '', ...more] = message.trim().split('\n');
  return [
    `gitfleet: ${what}: ${code}: ${visible(first)}`,
    ...[...more, ...hint.split('\n')].filter(Boolean).map((line) => `  ${visible(line)}`),
  ];
}
