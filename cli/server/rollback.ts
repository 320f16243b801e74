import { readlink } from 'node:fs/promises';
import { basename } from 'node:path';
import { runAgent } from '../../agent/agent.ts';
import { type Layout, layoutOf, linkOf, releaseOf } from '../../agent/disk/layout.ts';
import { createEmit } from '../../agent/events.ts';
import type { Rest } from '../../agent/plan.ts';
import { NO_FAILPOINT } from '../../agent/state/failpoints.ts';
import { type Journal, readJournal } from '../../agent/state/journal.ts';
import { type Override, writeOverride } from '../../agent/state/override.ts';
import { chooseKept, nameable } from '../../agent/state/retention.ts';
import { stepsOf } from '../../agent/steps/release-file.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import { createLog } from '../../runtime/log.ts';
import { createShutdown } from '../../runtime/shutdown.ts';
import { type AgentSettings, agentSettings, type Settings } from '../../schemas/settings/settings.ts';
import type { RelativePath } from '../../schemas/values.ts';
import type { Call } from '../command-table.ts';
import { localParts, openLocalAgent, stepsSource } from '../daemon/local-agent.ts';
import { becomeAgentUser } from '../shell/agent-user.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, warn } from '../shell/terminal.ts';

/** In addition to its steps: checking a large release takes seconds. */
const OBEY_MS = 60_000;

/**
 * `gitfleet agent rollback [COMMIT]`: shows a kept release again, only on this server, even without any network: one
 * that this link has shown and, without COMMIT, one of the same repository that ended well there. It holds until the
 * fleet's next target. A running agent performs it; if none runs, this process does.
 */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  await becomeAgentUser(agent.state);
  const layout = layoutOf(agent.root, agent.state, settings.app);
  const journal = await readJournal(layout.appState);
  const override = await decide(layout, journal, words[0] ?? null, (options['message'] as string | undefined) ?? '');
  const started = clock.monotonic();
  await writeOverride(layout.appState, override);
  const by = (await obeyedHere(settings, agent)) ? 'this command, no agent runs here' : 'the running agent';
  await untilDone(layout, override, await maxMs(agent, releaseOf(layout, override.commitId)));
  const ms = Math.round(clock.monotonic() - started);
  if (options['json']) sayJson({ ...override, ms });
  else {
    say(`${linkOf(layout, override.relativePath as RelativePath)} shows ${override.commitId} (${ms} ms, by ${by})`);
    say('this holds on this server until the next target is published', 'next: gitfleet rollback for the whole fleet');
  }
  return EXIT.converged;
}

/** How long a running agent may take, with everything that it does before and after the swap. */
async function maxMs(agent: AgentSettings, release: string): Promise<number> {
  const source = stepsSource(agent);
  // The agent has to refuse a file of the commit that cannot be read.
  const { prepare, preActivate, activate, onRollback, health } = await stepsOf(source, release).catch(() => source.own);
  const steps = [prepare, preActivate, activate, onRollback].map((step) => step?.timeout ?? 0);
  const restart = agent.restart.length > 0 ? agent.restartTimeout : 0;
  return [...steps, health?.deadline ?? 0, restart].reduce((sum, ms) => sum + ms, OBEY_MS);
}

async function decide(layout: Layout, journal: Journal, wanted: string | null, reason: string): Promise<Override> {
  const { progress, accepted } = journal;
  const shown = progress && journal.links[progress.relativePath];
  const link = progress && shown ? { path: progress.relativePath, commitId: shown } : null;
  const known = link ? nameable(journal, link) : [];
  const chosen = wanted !== null ? namedBy(wanted, known) : link && chooseKept(journal, link);
  if (progress && accepted && chosen) {
    const by = author(process.env);
    const { relativePath } = progress;
    return { against: accepted.targetVersion, url: '', commitId: chosen, relativePath, by, reason, at: clock.now() };
  }
  const place = link ? linkOf(layout, link.path as RelativePath) : 'this server';
  throw FleetError.of(
    'NOTHING_KEPT',
    wanted === null
      ? `no earlier release is kept that ${place} has shown, as far as is known, of the same repository and to a good end`
      : `${JSON.stringify(wanted)} is not one kept release that ${place} has shown`,
    known.length === 0
      ? 'none is kept; publish an earlier commit instead'
      : `name one to choose it all the same; kept, and shown there as far as is known: ${known.join(', ')}`,
  );
}

function namedBy(wanted: string, known: readonly string[]): string | null {
  const found = known.filter((commitId) => commitId.startsWith(wanted));
  return wanted.length >= 4 && found.length === 1 ? (found[0] ?? null) : null;
}

/** False: a running agent holds the directories, and performs the rollback. */
async function obeyedHere(settings: Settings, agent: AgentSettings): Promise<boolean> {
  const log = createLog({ level: 'silent' });
  const shutdown = createShutdown((name, error) => warn(`stopping ${name} failed: ${error}`));
  let ended: Rest | null = null;
  try {
    const local = await openLocalAgent(settings, agent, log, shutdown, NO_FAILPOINT, 0);
    const rest = (because: Rest) => {
      ended = because;
      shutdown.ask();
    };
    const emit = createEmit({ rollback: { rest: ({ because }) => rest(because) } }, log);
    await runAgent(
      {
        ...localParts(local, settings, agent, log, NO_FAILPOINT),
        random,
        follow: nobodyAsked,
        followRollout: async () => {},
        joinedAt: () => undefined,
        recheck: async () => {},
        blocked: () => null,
        onChange: () => {},
        emit,
        maintenance: { next: async () => Number.POSITIVE_INFINITY, watch: async () => Number.POSITIVE_INFINITY },
      },
      shutdown.signal,
    );
  } catch (error) {
    if (classify(error).code === 'STATE_TAKEN') return false;
    throw error;
  } finally {
    await shutdown.stop();
  }
  const because = ended as Rest | null;
  if (because?.kind === 'failed') throw FleetError.kept(because.failure);
  return true;
}

/** ZooKeeper is not involved: the fleet's target is unknown here. */
async function* nobodyAsked(): AsyncGenerator<never> {}

/**
 * First the link, then the activate command: the rollback has ended when the journal says how the activation ended. If
 * this process performed it, the first look finds that.
 */
async function untilDone(layout: Layout, override: Override, obeyMs: number): Promise<void> {
  const { against, commitId, relativePath } = override;
  const link = linkOf(layout, relativePath as RelativePath);
  const end = clock.monotonic() + obeyMs;
  for (;;) {
    const { accepted, progress } = await readJournal(layout.appState);
    const shown = basename(await readlink(link).catch(() => '')) === commitId;
    const ours = progress?.targetVersion === against && progress.commitId === commitId ? progress : null;
    if (shown && ours?.activation === 'done') return;
    const failed = ours?.lastFailure ?? null;
    if (failed && (failed.next === 'stall' || failed.next === 'bug')) throw FleetError.kept(failed);
    const newer = accepted?.targetVersion !== against;
    if (newer || clock.monotonic() > end) {
      const why = newer ? 'a newer target was published' : (failed?.reason ?? `${obeyMs / 1_000} s are over`);
      throw FleetError.of(
        'NOT_OBEYED',
        `${link} ${shown ? 'shows' : 'does not show'} ${commitId}, and its activation has not ended: ${why}`,
        newer ? 'see what runs now: gitfleet agent status' : 'the log of the agent says why',
      );
    }
    await clock.sleep(10);
  }
}
