import { readFleet } from '../../fleet/fleet-view.ts';
import { readHistory } from '../../fleet/history.ts';
import { readSharedState } from '../../fleet/shared-state.ts';
import { createAncestry } from '../../publisher/ancestry.ts';
import { findBringsBack } from '../../publisher/brings-back.ts';
import { publish } from '../../publisher/publish.ts';
import { mostShown } from '../../publisher/shown-target.ts';
import { systemClock } from '../../runtime/clock.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { once } from '../../runtime/once.ts';
import { type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { author } from '../shell/author.ts';
import { bundlerOf } from '../shell/bundler.ts';
import { takeInterrupt } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { usage, warn } from '../shell/terminal.ts';
import { followOptions, followPublished, sayPublished } from './follow-published.ts';
import { type Again, remoteAskingNow, resolveAsked } from './resolve-asked.ts';
import { signerOf } from './signer.ts';

/**
 * `gitfleet publish [REV]`. Reads config first and finds everything else after it, so that a publish in between makes
 * this one a CONFLICT instead of being overwritten unseen.
 */
export async function run({ options, words }: Call): Promise<number> {
  const message = options['message'] as string | undefined;
  const force = options['force'] === true;
  if (force && !message) throw usage('--force lifts a quarantine and requires a reason', 'say why: --force -m WHY');
  if (options['again'] === true && words[0] !== undefined)
    throw usage('--again publishes what the agents show', 'gitfleet publish --again, or gitfleet publish COMMIT');
  const settings = await readSettings(options);
  const by = author(process.env);
  const following = followOptions(options, settings, by);
  const signer = await signerOf(settings);
  const bundler = await bundlerOf(settings, { cwd: process.cwd() });
  const over = new AbortController();
  const remote = remoteAskingNow(settings, options, words[0], over.signal);
  const publishing = withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const since = await readSharedState(session, paths);
    const again = options['again'] === true ? await shownNow(session, paths) : null;
    const agents = once(() => readFleet(session, paths));
    const resolved = await resolveAsked(since, settings, options, words[0], agents, again, remote);
    warn(...resolved.warnings.map((each) => `warning: ${each}`));
    if (resolved.refusal) throw resolved.refusal;
    const signed = signer?.sign(resolved.target, since.config.target) ?? Promise.resolve(resolved.target);
    const target = await (bundler?.({ session, znodes: paths, access }, since, resolved.target, signed) ?? signed);
    const interrupt = takeInterrupt();
    const { beforeWrite } = interrupt;
    const parts = { session, znodes: paths, access, now: () => systemClock.now(), newNonce, beforeWrite };
    const graph = remote.graph(process.cwd());
    const ancestry = createAncestry(graph, resolved.target.commitId);
    const written = publish(parts, since, {
      target,
      contains: ancestry.contains,
      by,
      reason: message ?? resolved.title,
      via: 'publish',
      ref: resolved.target.gitfleet?.ref ?? null,
      force,
    });
    const published = await interrupt.outcomeOf(written);
    const { from, to } = resolved.change;
    const bringsBack = await findBringsBack(parts, graph, from, to);
    const contains = { bringsBack, unknown: ancestry.unknown };
    const first = () => sayPublished(published, resolved.change, following.json, contains);
    return await followPublished(parts, published, following, first, interrupt);
  });
  return await publishing.finally(() => over.abort());
}

/** What the agents show, and the repository from a record of that commit, if history still has one. */
async function shownNow(session: Session, paths: Znodes): Promise<Again> {
  const [fleet, history] = await Promise.all([
    readFleet(session, paths),
    readHistory(session, paths, Number.POSITIVE_INFINITY),
  ]);
  const shown = mostShown(fleet);
  const record = history.find(({ target }) => target.commitId === shown.commitId);
  return { ...shown, url: record?.target.url ?? null };
}
