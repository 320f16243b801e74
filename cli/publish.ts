import { randomUUID } from 'node:crypto';
import { readSharedState } from '../fleet/shared-state.ts';
import { createRemote } from '../git/remote.ts';
import { publish } from '../publisher/publish.ts';
import { resolveTarget } from '../publisher/resolve-target.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';
import { znodes } from '../schemas/znodes.ts';
import { author } from './author.ts';
import { followOptions, followPublished } from './follow-published.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { warn } from './terminal.ts';
import { withSession } from './with-session.ts';

/**
 * `gitfleet publish [REV]`. Config is read first and everything else is found out after it, so that whoever publishes
 * in between makes this one a CONFLICT instead of being overwritten unseen.
 */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options);
  const by = author(process.env);
  const following = followOptions(options, settings, by);
  const remote = createRemote({ clock: systemClock, log: createLog({ level: 'silent' }), env: process.env });
  return await withSession(settings, async (session, access) => {
    const paths = znodes(settings.app);
    const since = await readSharedState(session, paths);
    const resolved = await resolveTarget(remote, since, {
      rev: words[0] ?? null,
      url: settings.publisher.url ?? null,
      relativePath: settings.publisher.relativePath ?? null,
      check: options['check'] !== false,
      directory: process.cwd(),
    });
    if (resolved.warning) warn(`warning: ${resolved.warning}`);
    const parts = { session, znodes: paths, access, now: () => systemClock.now(), newNonce: randomUUID };
    const published = await publish(parts, since, {
      target: resolved.target,
      author: by,
      reason: (options['message'] as string | undefined) ?? resolved.title,
      via: 'publish',
      ref: resolved.target.gitfleet?.ref ?? null,
    });
    return await followPublished(session, paths, published, following);
  });
}
