import { stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { layoutOf } from '../../agent/disk/layout.ts';
import { readLocalStatus } from '../../agent/local/local-status.ts';
import { type VerifiedLink, verifyActive } from '../../agent/local/verify.ts';
import { patternsOf, stepsOf } from '../../agent/steps/release-file.ts';
import { createGit } from '../../git/run/process.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { visible } from '../../runtime/safe-text.ts';
import { agentSettings } from '../../schemas/settings/settings.ts';
import type { Call } from '../command-table.ts';
import { stepsSource } from '../daemon/local-agent.ts';
import { becomeAgentUser, noAgent } from '../shell/agent-user.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { onSignals } from '../shell/signals.ts';
import { say, sayJson } from '../shell/terminal.ts';

/**
 * `gitfleet agent verify [--deep]`: whether what this server shows is its commit, whether or not an agent runs and
 * ZooKeeper answers. Changes nothing and does not disturb the agent. Exits 0 if everything matches; 1 if something
 * differs or could not be compared, or there is no state to compare with; 2 on bad settings.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  await becomeAgentUser(agent.state);
  const layout = layoutOf(agent.root, agent.state, settings.app);
  const deep = Boolean(options['deep']);
  const stop = new AbortController();
  onSignals(() => stop.abort(new DOMException('stopped by a signal', 'AbortError')));
  // Only the state knows which links there are: without it none would be found, whatever is in the root.
  await stat(layout.appState).catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? noAgent(layout.appState) : error;
  });
  const { links } = await readLocalStatus(layout, clock);
  const parts = {
    layout,
    git: createGit({ clock, log: createLog({ level: 'silent' }), path: process.env['PATH'] }),
    generated: patternsOf(agent),
    stepsOf: (release: string) => stepsOf(stepsSource(agent), release),
    scratch: tmpdir(),
  };
  const verified = await verifyActive(parts, links, deep, stop.signal).catch((error: unknown) => {
    if (stop.signal.aborted) return null;
    throw error;
  });
  if (verified === null) return EXIT.detached;
  const clean = verified.length > 0 && verified.every((link) => link.clean);
  if (options['json']) sayJson({ agentId: agent.id, app: settings.app, deep, clean, links: verified });
  else say(...verified.flatMap((link) => linkLines(link, deep)), lastLine(verified, clean, deep));
  return clean ? EXIT.converged : EXIT.failed;
}

function linkLines({ link, commitId, instead, drift, clean }: VerifiedLink, deep: boolean): string[] {
  if (drift === null) return [`${link} is ${instead}, not a link of gitfleet`];
  const how = deep ? 'every file hashed again' : 'by sizes and times';
  if (clean) return [`${link} is ${commitId}, ${how}`];
  return [
    `${link} is not ${commitId}, ${how}:`,
    ...(drift.head === commitId ? [] : [`  HEAD      ${visible(drift.head ?? 'cannot be read')}`]),
    ...drift.changed.map((path) => `  changed   ${visible(path)}`),
    ...drift.missing.map((path) => `  missing   ${visible(path)}`),
    ...drift.strangers.map((path) => `  stranger  ${visible(path)}`),
    ...(longest(drift) < MAX_SHOWN ? [] : [`  at most ${MAX_SHOWN} of each kind are named`]),
  ];
}

/** The limit of the lists in git/worktree/compare.ts. */
const MAX_SHOWN = 20;
const longest = ({ changed, missing, strangers }: NonNullable<VerifiedLink['drift']>) =>
  Math.max(changed.length, missing.length, strangers.length);

function lastLine(verified: readonly VerifiedLink[], clean: boolean, deep: boolean): string {
  if (verified.length === 0) return 'no link yet, so nothing to compare; next: gitfleet agent status';
  if (clean) return deep ? 'all is as committed' : 'all is as committed; --deep hashes every file again';
  return 'next: publish the commit again to restore changed files (with agent.drift: heal, the agent does so automatically)';
}
