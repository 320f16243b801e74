import { type HookSettings, tlsVariables } from '../hooks/hook-settings.ts';
import type { Settings } from '../schemas/settings.ts';
import { readSettings } from './read-settings.ts';

/**
 * The settings of one installation. Nothing of whoever pushes takes part, nor of the machine: a deployment is what the
 * hook was installed for. @throws FleetError SETTINGS
 */
export async function settingsOfHook(hook: HookSettings): Promise<Settings> {
  const { zookeeper, app, authFile, settings } = hook;
  const flags = { zookeeper, app, authFile: authFile ?? undefined, settings: settings ?? undefined };
  return await readSettings(flags, { environment: tlsVariables(hook) });
}

/** What git told the hook: lines of a push of any size; what is longer than ten megabytes is no push of this world. */
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
