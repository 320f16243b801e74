import type { Notifier } from '../../agent/service/notify.ts';
import { changeSettings } from '../../agent/service/settings-change.ts';
import { classify } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Settings } from '../../schemas/settings/settings.ts';

export interface Reload {
  /** The settings in force. */
  readonly settings: () => Settings;
  /** Reads them again. If it is called during a read, they are read once more. */
  ask(): void;
}

/**
 * The settings of a running agent. Invalid settings change nothing, and changes that need a restart wait for one; the
 * log reports both.
 * @param read as at the start: flags, variables, file. @throws FleetError SETTINGS
 * @param onApplied called if something changed.
 */
export function createReload(parts: {
  running: Settings;
  read: () => Promise<Settings>;
  /** The settings whose files changed in place. @throws FleetError SETTINGS */
  changedFiles: () => Promise<readonly string[]>;
  notifier: Notifier;
  log: Logger;
  onApplied: (settings: Settings) => void;
}): Reload {
  const { log, notifier } = parts;
  let settings = parts.running;
  let asked = false;
  let reading = false;

  async function readAll(): Promise<void> {
    reading = true;
    // The service manager's clock, which distinguishes this reload from an earlier one.
    void notifier.tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`);
    for (; asked; ) {
      asked = false;
      await readOnce();
    }
    reading = false;
    void notifier.tell('READY=1');
  }

  async function readOnce(): Promise<void> {
    try {
      const change = changeSettings(settings, await parts.read());
      settings = change.settings;
      const { applied, needRestart } = change;
      if (applied.length > 0) parts.onApplied(settings);
      const files = await parts.changedFiles();
      const unchanged = applied.length === 0 && files.length === 0;
      if (applied.length > 0) log.info({ applied }, `settings reloaded: ${applied.join(', ')}`);
      if (files.length > 0) log.info({ files }, `files changed: ${files.join(', ')}; used from the next connection`);
      if (unchanged) log.info({ applied }, 'settings unchanged');
      if (needRestart.length > 0) log.warn({ needRestart }, `these need a restart: ${needRestart.join(', ')}`);
    } catch (error) {
      const { code, message, hint } = classify(error);
      log.error({ code, reason: message, hint }, 'new settings rejected; keeping the current ones');
    }
  }

  return {
    settings: () => settings,
    ask() {
      asked = true;
      if (!reading) void readAll();
    },
  };
}
