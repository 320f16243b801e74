import { ownerOr } from '../../agent/disk/instance-lock.ts';
import { layoutOf } from '../../agent/disk/layout.ts';
import {
  awaitsClearance,
  type KeptRelease,
  type LocalStatus,
  readLocalStatus,
  type ShownLink,
} from '../../agent/local/local-status.ts';
import { readIdentity } from '../../agent/state/own-credential.ts';
import { preparationKey } from '../../agent/steps/release-file.ts';
import { age, short } from '../../publisher/screens/words.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { visible } from '../../runtime/safe-text.ts';
import { deploymentName } from '../../schemas/deployment.ts';
import { identityText } from '../../schemas/enrolment.ts';
import { agentSettings } from '../../schemas/settings/settings.ts';
import type { Call } from '../command-table.ts';
import { stepsSource } from '../daemon/local-agent.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, warn } from '../shell/terminal.ts';

/**
 * `gitfleet agent status`: the state of this server, from its own disk, whether or not an agent runs and ZooKeeper
 * answers. The current target of the fleet is not known here. Exits 0 if the state could be read, whatever it is.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options, { zookeeper: false });
  const agent = agentSettings(settings);
  const layout = layoutOf(agent.root, agent.state, settings.app);
  const status = await readLocalStatus(layout, clock);
  const agentId = await ownerOr(agent.id, layout.root);
  const own = await readIdentity(layout.state, agentId).catch((error: unknown) => {
    const { code, message, hint } = classify(error);
    warn(`its identity cannot be read: ${code}: ${visible(message, 500)}`, `  ${hint ?? ''}`);
    return null;
  });
  const identity = own && identityText(own);
  if (options['json']) sayJson({ agentId, app: settings.app, identity, ...status });
  else {
    const enrol = identity === null ? [] : [`  to enrol it: gitfleet enrol ${agentId}=${identity}`];
    const lines = statusLines(agentId, settings.app, status, preparationKey(stepsSource(agent)) !== '', clock.now());
    say(...lines.slice(0, 1), ...enrol, ...lines.slice(1));
  }
  return EXIT.converged;
}

function statusLines(agentId: string, app: string, status: LocalStatus, prepares: boolean, now: number): string[] {
  const { running, links, releases } = status;
  const awaits = awaitsClearance(status, prepares);
  const runs =
    running === null ? 'unknown whether it runs: flock is not installed' : running ? 'it runs' : 'it does not run';
  return [
    `agent ${agentId} of ${app}: ${runs}`,
    ...presenceLines(status, now),
    ...(links.length === 0 ? ['  no link yet'] : links.map(linkLine)),
    ...targetLines(status, awaits, now),
    ...failureLines(status),
    ...refusalLines(status),
    ...overrideLines(status, now),
    ...suspensionLines(status, now),
    ...releases.map((release) => releaseLine(release, status, now)),
    ...status.adoptions.map(({ relativePath, commitId, before, by, reason, at }) => {
      const why = reason === '' ? '' : `: ${visible(reason, 200)}`;
      return `  adopted ${relativePath} at ${short(commitId)}, ${age(now - at)} ago by ${visible(by, 100)}${why}; before: ${visible(before)}`;
    }),
    ...status.undeletable.map((path) => `  cannot be deleted by the agent, remove it as root: ${visible(path, 300)}`),
    lastLine(status, awaits),
  ];
}

function presenceLines({ presence }: LocalStatus, now: number): string[] {
  if (!presence) return [];
  const { code, reason, hint, at } = presence;
  return [
    `  not online for the fleet for ${age(now - at)}: ${visible(code, 40)}: ${visible(reason, 500)}`,
    ...(hint === '' ? [] : [`    ${visible(hint, 500)}`]),
  ];
}

const linkLine = ({ link, commitId, instead }: ShownLink): string =>
  `  ${link} ${commitId === null ? `is ${instead}, not a link of gitfleet` : `shows ${commitId}`}`;

function releaseLine(release: KeptRelease, { links, gaveUp }: LocalStatus, now: number): string {
  const { commitId, endedWell, leftAt, at } = release;
  const shown = links.some((link) => link.commitId === commitId);
  // A release that was shown has been left since, and one that was given up failed before it was shown.
  const fresh = at !== null && leftAt === null && !shown && gaveUp?.commitId !== commitId;
  const how = `  kept ${short(commitId)} ${endedWell ? 'ended well' : fresh ? 'not shown yet' : 'did not end well'}`;
  if (shown) return `${how}, shown${at === null ? '' : ` for ${age(now - at)}`}`;
  if (leftAt !== null) return `${how}, left ${age(now - leftAt)} ago`;
  return at === null ? how : `${how}, made ${age(now - at)} ago`;
}

function targetLines({ accepted, progress, gaveUp }: LocalStatus, awaits: boolean, now: number): string[] {
  if (!progress) return ['  no target accepted yet'];
  const written = accepted ? `, written ${age(now - accepted.mtime)} ago` : '';
  const { commitId, relativePath, targetVersion, attempts, activation, lastFailure } = progress;
  const tries = attempts === 0 ? '' : `, ${attempts} failed ${attempts === 1 ? 'try' : 'tries'}`;
  return [
    `  accepted ${short(commitId)} at ${relativePath} (targetVersion ${targetVersion}${written})`,
    `  activation ${awaits ? `waits for its turn${permitOf(progress)}: the release is ready` : activation}${tries}`,
    ...(lastFailure && gaveUp?.targetVersion !== targetVersion
      ? [
          `  last failure ${lastFailure.code}: ${visible(lastFailure.reason, 300)}`,
          `    ${visible(lastFailure.hint, 300)}`,
        ]
      : []),
  ];
}

const permitOf = ({ deployment }: NonNullable<LocalStatus['progress']>): string =>
  deployment === undefined ? '' : `, a permit for ${deploymentName(deployment)}`;

/** What this server gave up is reported until another release fails or it is published again. */
function failureLines({ gaveUp, reversal, accepted }: LocalStatus): string[] {
  if (!gaveUp || gaveUp.targetVersion !== accepted?.targetVersion) return [];
  const { commitId, failure, output } = gaveUp;
  const words = output.trim() === '' ? [] : output.trim().split('\n').slice(-5);
  return [
    `  gave up ${short(commitId)}: ${failure.code}: ${visible(failure.reason, 500)}`,
    `    ${visible(failure.hint, 300)}`,
    ...words.map((line) => `    | ${visible(line, 200)}`),
    ...(reversal ? ['  the local rollback after it has not finished yet'] : []),
  ];
}

function refusalLines({ refused }: LocalStatus): string[] {
  if (!refused) return [];
  const { code, reason, hint } = refused.failure;
  return [
    `  refused the newest target (targetVersion ${refused.targetVersion}): ${code}: ${visible(reason, 500)}`,
    `    ${visible(hint, 300)}`,
  ];
}

function suspensionLines({ suspension }: LocalStatus, now: number): string[] {
  if (!suspension) return [];
  const { by, reason, at } = suspension;
  return [
    `  suspended by ${visible(by, 100)}, ${age(now - at)} ago${reason === '' ? '' : `: ${visible(reason, 200)}`}`,
  ];
}

function overrideLines({ override }: LocalStatus, now: number): string[] {
  if (!override) return [];
  const { by, reason, at, counts } = override;
  const why = reason === '' ? '' : `: ${visible(reason, 200)}`;
  const past = counts ? '' : ' (over: a newer target was accepted)';
  return [
    `  overridden: stays on ${short(override.commitId)}, by ${visible(by, 100)}, ${age(now - at)} ago${why}${past}`,
  ];
}

/** The verdict, and the next command. */
function lastLine(status: LocalStatus, awaits: boolean): string {
  const { running, links, accepted, progress, gaveUp, refused, override, suspension } = status;
  if (suspension) return 'next: gitfleet agent resume to follow the fleet again';
  if (running === false) return 'next: systemctl start gitfleet-agent, or: gitfleet agent run';
  if (override?.counts) return 'next: gitfleet agent resume to follow the fleet again';
  if (refused) return 'what is shown stays; next: follow the hint above';
  const shown = links.find((link) => link.relativePath === progress?.relativePath)?.commitId;
  if (progress && shown === progress.commitId && progress.activation === 'done') return 'settled on what it accepted';
  if (gaveUp && gaveUp.targetVersion === accepted?.targetVersion)
    return 'gave up; next: fix the cause, then gitfleet publish';
  if (awaits) return 'ready, waiting for its turn to activate; next: gitfleet status shows the rollout';
  return progress ? 'not there yet; next: the log of the agent' : 'waiting for a target; next: gitfleet publish';
}
