import { userInfo } from 'node:os';
import { join } from 'node:path';
import { NO_BUNDLES } from '../../agent/coordination/bundles.ts';
import { noOriginTurn } from '../../agent/coordination/fetch-lease.ts';
import { type InstanceLock, takeInstanceLock } from '../../agent/disk/instance-lock.ts';
import { type Layout, layoutOf } from '../../agent/disk/layout.ts';
import { removeLeftovers } from '../../agent/disk/releases.ts';
import { createVouch, type Vouch } from '../../agent/door/vouch.ts';
import { findLinks, repairJournal } from '../../agent/repair-journal.ts';
import { createRoom } from '../../agent/room.ts';
import { NO_ROTATION } from '../../agent/services/rotation.ts';
import { type AcceptedMemory, openAccepted } from '../../agent/state/accepted.ts';
import type { Failpoint } from '../../agent/state/failpoints.ts';
import { emptyJournal, type Journal, readJournal, writeJournal } from '../../agent/state/journal.ts';
import { endLeftStep } from '../../agent/state/running-command.ts';
import { openSignedTags } from '../../agent/state/signed-tags.ts';
import { openVouched } from '../../agent/state/vouched.ts';
import { createProbe } from '../../agent/steps/probe.ts';
import { patternsOf, preparationKey, type StepsSource, stepsOf } from '../../agent/steps/release-file.ts';
import { createStepRunner } from '../../agent/steps/runner.ts';
import { openStore } from '../../git/open-store.ts';
import type { Spare, Store } from '../../git/store.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import type { AgentSettings, Settings } from '../../schemas/settings/settings.ts';
import { credentialFor } from '../../schemas/url.ts';

/** The half of an agent that needs no ZooKeeper: its directories, taken for this process, and their content. */
export interface LocalAgent extends AcceptedMemory {
  readonly layout: Layout;
  readonly ground: InstanceLock;
  readonly store: Store;
  readonly spare: Spare;
  readonly commandPath: string;
  readonly vouch: Vouch;
  readonly journal: () => Journal;
  readonly remember: (change: (journal: Journal) => Journal) => Promise<void>;
}

/**
 * Takes the directories, completes or undoes what a crash left, and registers the release of all of it with `shutdown`.
 */
export async function openLocalAgent(
  settings: Settings,
  agent: AgentSettings,
  log: Logger,
  shutdown: Shutdown,
  failpoint: Failpoint,
  waitMs?: number,
  /** The current settings, if a reload may change them. */
  live: () => AgentSettings = () => agent,
): Promise<LocalAgent> {
  const layout = layoutOf(agent.root, agent.state, settings.app);
  const ground = await takeInstanceLock(layout, agent.id, waitMs);
  shutdown.add('ground', () => ground.release());
  if (endLeftStep(layout.appState)) log.warn('a step of an agent that died was still running: ended');
  const commandPath = process.env['PATH'] ?? '/usr/local/bin:/usr/bin:/bin';
  const store = openStore({
    directory: join(layout.appState, 'store.git'),
    credentialFor: (url) => credentialFor(live().credentials, url),
    get allowProtocols() {
      return [...new Set(live().allowUrls.map((prefix) => prefix.slice(0, prefix.indexOf(':'))))];
    },
    lockFd: ground.lockFd,
    clock,
    random,
    log,
    path: commandPath,
    rules: agent.content,
    failpoint,
    limits: { silentMs: agent.fetch.stallTimeout, totalMs: agent.fetch.timeout },
  });
  shutdown.add('store', () => store.close());
  await store.recover();

  const kept = await readJournal(layout.appState);
  await removeLeftovers(layout, Object.keys(kept.links));
  // Even without a journal, retention must know what links show.
  const found = kept === emptyJournal ? await findLinks(layout) : [];
  const links = { ...Object.fromEntries(found.map((path) => [path, ''])), ...kept.links };
  let journal = await repairJournal(layout, { ...kept, links }, clock.now());
  const remember = async (change: (before: Journal) => Journal) => {
    const next = change(journal);
    await writeJournal(layout.appState, next);
    journal = next;
  };
  const memory = await openAccepted(layout.appState);
  const spare = store.spare(layout.spare);
  const vouch = createVouch({
    rules: live,
    store,
    memory: await openVouched(layout.appState),
    tags: await openSignedTags(layout.appState),
    appState: layout.appState,
    ssh: { clock, env: { PATH: commandPath, LC_ALL: 'C' } },
  });
  return { layout, ground, store, spare, commandPath, vouch, journal: () => journal, remember, ...memory };
}

/** What every agent loop uses of this: the daemon's, and those of the verbs on a server. */
export function localParts(
  local: LocalAgent,
  settings: Settings,
  agent: AgentSettings,
  log: Logger,
  failpoint: Failpoint,
  /** The current settings, if a reload may change them. */
  live: () => AgentSettings = () => agent,
) {
  const { layout, ground, store, spare, commandPath, vouch, journal, remember, accepted, rememberAccepted } = local;
  const steps = createStepRunner({
    ...{ app: settings.app, path: commandPath, home: userInfo().homedir, clock, log },
    state: layout.appState,
    passed: () => Object.fromEntries(live().passEnvironment.flatMap((name) => variable(name))),
    units: () => {
      const { restart: units, restartTimeout: timeoutMs } = live();
      return units.length > 0 ? { units, timeoutMs } : null;
    },
  });
  const retention = () => {
    const { keepReleases, keepFailedReleases, releaseGrace } = live();
    return { keepReleases, keepFailedReleases, graceMs: releaseGrace };
  };
  return {
    layout,
    store,
    spare,
    commandPath,
    journal,
    remember,
    accepted,
    rememberAccepted,
    clock,
    random,
    log,
    failpoint,
    steps,
    renewLock: ground.renew,
    retention,
    room: createRoom({ layout, store, journal, remember, clock, log, failpoint, retention }),
    probe: createProbe(steps, clock),
    originTurn: noOriginTurn,
    vouch,
    isCanary: () => false,
    bundles: NO_BUNDLES,
    rotation: NO_ROTATION,
    uid: process.getuid?.() ?? 0,
    stepsOf: (release: string) => stepsOf(stepsSource(live()), release),
    preparation: preparationKey(stepsSource(agent)),
    generated: patternsOf(agent),
    resyncMs: agent.resyncInterval,
  };
}

export const stepsSource = (agent: AgentSettings): StepsSource => ({
  own: agent,
  allowCommitted: agent.allowRepositorySteps,
});

function variable(name: string): [string, string][] {
  const value = process.env[name];
  return value === undefined ? [] : [[name, value]];
}
