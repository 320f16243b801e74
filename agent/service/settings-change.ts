import type { Settings } from '../../schemas/settings/settings.ts';

/** The settings that a running agent applies at their next use. All others are fixed when the agent starts. */
const LIVE: readonly string[] = [
  'agent.allowUrls',
  'agent.verify',
  'agent.credentials',
  'agent.prepare',
  'agent.preActivate',
  'agent.activate',
  'agent.onRollback',
  'agent.onFailure',
  'agent.health',
  'agent.shared',
  'agent.passEnvironment',
  'agent.allowRepositorySteps',
  'agent.fetchLeases',
  'agent.restart',
  'agent.restartTimeout',
  'agent.keepReleases',
  'agent.keepFailedReleases',
  'agent.releaseGrace',
  'agent.resyncInterval',
  'agent.verifyInterval',
  'agent.drift',
  'agent.generated',
  'log.level',
];
/** The agent does not read these. */
const OTHERS: readonly string[] = ['publisher', 'serve'];

interface SettingsChange {
  /** The running settings, with the changes that need no restart. */
  readonly settings: Settings;
  /** By dotted name. */
  readonly applied: readonly string[];
  readonly needRestart: readonly string[];
}

/** Which of the newly read settings a running agent applies. Pure. */
export function changeSettings(running: Settings, read: Settings): SettingsChange {
  const names = changedNames(running, read).filter((name) => !OTHERS.includes(name));
  const applied = names.filter((name) => LIVE.includes(name));
  const settings = structuredClone(running);
  for (const name of applied) copy(read, settings, name);
  return { settings, applied, needRestart: names.filter((name) => !LIVE.includes(name)) };
}

/** One level below agent, zookeeper and log; a list or section there counts as one setting. */
function changedNames(before: Settings, after: Settings): string[] {
  const [old, now] = [membersOf(before), membersOf(after)];
  const names = new Set([...old.keys(), ...now.keys()]);
  return [...names].filter((name) => JSON.stringify(old.get(name)) !== JSON.stringify(now.get(name))).toSorted();
}

function membersOf(settings: Settings): Map<string, unknown> {
  return new Map(
    Object.entries(settings).flatMap(([section, value]): [string, unknown][] => {
      if (typeof value !== 'object' || OTHERS.includes(section)) return [[section, value]];
      return Object.entries(value).map(([key, inner]) => [`${section}.${key}`, inner]);
    }),
  );
}

function copy(from: Settings, into: Settings, name: string): void {
  const [section, key] = name.split('.') as ['agent', string];
  const target: Record<string, unknown> = into[section];
  const source: Record<string, unknown> = from[section];
  if (source[key] === undefined) delete target[key];
  else target[key] = source[key];
}
