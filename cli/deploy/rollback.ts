import { quarantinedIn } from '../../fleet/admission.ts';
import { readFleet } from '../../fleet/fleet-view.ts';
import { recordForeign } from '../../fleet/record-deployment.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { type Change, readChange } from '../../publisher/change.ts';
import { publish } from '../../publisher/publish.ts';
import { keptSignatureWords } from '../../publisher/required-signature.ts';
import { findRollback } from '../../publisher/rollback.ts';
import { branchLines } from '../../publisher/screens/change-lines.ts';
import { short } from '../../publisher/screens/words.ts';
import { systemClock } from '../../runtime/clock.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { isCommitId } from '../../schemas/commit-id.ts';
import { type Deployment, deploymentName } from '../../schemas/deployment.ts';
import { targetOf } from '../../schemas/target.ts';
import type { CommitId } from '../../schemas/values.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { author } from '../shell/author.ts';
import { takeInterrupt } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, usage, warn } from '../shell/terminal.ts';
import { followOptions, followPublished, sayPublished } from './follow-published.ts';
import { namedDeploymentOrCommit } from './operands.ts';
import { remoteOfUser } from './resolve-asked.ts';
import { signerOf } from './signer.ts';

/** `gitfleet rollback [d-N|COMMIT]`: publishes an earlier deployment's target as a new deployment. */
export async function run({ options, words }: Call): Promise<number> {
  const wanted = namedDeploymentOrCommit(words[0]);
  const settings = await readSettings(options);
  const by = author(process.env);
  const following = followOptions(options, settings, by);
  const signer = await signerOf(settings);
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const parts = { session, znodes: paths, access, now: () => systemClock.now(), newNonce };
    const since = await recordForeign(parts, await readSharedState(session, paths));
    const to = await findRollback(session, paths, wanted, quarantinedIn(since.quarantine));
    const kept = targetOf(to.target);
    const target = (await signer?.sign(kept, since.config.target)) ?? kept;
    const left = since.config.target?.commitId ?? null;
    // For a rollback, what that one returned to: so history names each commit by the deployment that brought it.
    const returnsTo = to.returnsTo ?? to.number;
    const reason = (options['message'] as string | undefined) ?? `back to ${deploymentName(returnsTo)}`;
    const quarantines = options['quarantine'] === true ? leftBehind(left, target.commitId, reason) : null;
    const interrupt = takeInterrupt();
    const publishing = publish({ ...parts, beforeWrite: interrupt.beforeWrite }, since, {
      ...{ target, by, reason, quarantines },
      via: 'rollback',
      returnsTo,
    });
    // The remote is not asked: agents keep what was proven, so a rollback must not need it.
    const [published, refusing, change] = await Promise.all([
      interrupt.outcomeOf(publishing),
      signer ? null : keptSignature(session, paths, to),
      readChange(remoteOfUser().graph(process.cwd()), left, target.commitId),
    ]);
    const first = () => {
      sayPublished(published, change.ahead === null ? null : change, following.json);
      if (refusing) warn(refusing);
      if (quarantines && !following.json) say(`  ${short(quarantines.commitId)} is in quarantine now`);
    };
    const exitCode = await followPublished(parts, published, following, first, interrupt);
    if (!following.json && published.previous) say(...(await stillThere(published.previous, to, change)));
    return exitCode;
  });
}

/** What agents that require a signature will make of the one that the deployment has, or has not. Never throws. */
async function keptSignature(session: Session, paths: Znodes, to: Deployment): Promise<string | null> {
  const fleet = await readFleet(session, paths).catch(() => []);
  return keptSignatureWords(fleet, to);
}

async function stillThere(undone: Deployment, to: Deployment, change: Change): Promise<string[]> {
  const { commitId } = undone.target;
  if (!isCommitId(commitId)) return [];
  const asked = undone.ref?.replace(/^refs\/heads\//, '') ?? null;
  const branch = await remoteOfUser()
    .branchWith(process.cwd(), commitId, asked)
    .catch(() => null);
  return branchLines(undone, to, change, branch);
}

function leftBehind(left: CommitId | null, to: CommitId, reason: string) {
  if (left === null) throw usage('--quarantine: what config holds now is no target', 'roll back without --quarantine');
  if (left === to) throw usage('--quarantine: the commit to return to is the present one', 'name another deployment');
  return { commitId: left, reason };
}
