import type { Access } from '../../fleet/access.ts';
import type { SharedState } from '../../fleet/shared-state.ts';
import type { PackedFrom } from '../../git/host/make-bundle.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import type { Target } from '../../schemas/target.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import { warn } from './terminal.ts';

interface Place {
  readonly session: Session;
  readonly znodes: Znodes;
  readonly access: Access;
}

/** Adds the bundle to what is about to be published. */
export type Bundler = (place: Place, since: SharedState, target: Target, signed: Promise<Target>) => Promise<Target>;

/**
 * By these settings; null: there are no bundles, and nothing of it is loaded. The pack is made while the target is
 * signed.
 */
export async function bundlerOf(
  { publisher, zookeeper }: Pick<Settings, 'publisher' | 'zookeeper'>,
  from: PackedFrom,
): Promise<Bundler | null> {
  if (!publisher.bundle) return null;
  const [{ bundleFor, noBundleWords }, { makeBundle }, { createGit }, { createLog }] = await Promise.all([
    import('../../publisher/bundle.ts'),
    import('../../git/host/make-bundle.ts'),
    import('../../git/run/process.ts'),
    import('../../runtime/log.ts'),
  ]);
  const isPrivate = zookeeper.tls !== undefined || publisher.bundleInClear;
  const git = createGit({ clock, log: createLog({ level: 'silent' }), path: process.env['PATH'] });
  return async (place, since, target, signed) => {
    const [{ member, refused }, ready] = await Promise.all([
      bundleFor(
        {
          ...place,
          clock,
          random,
          isPrivate,
          make: (base, commitId, most, signal) => makeBundle(git, from, { base, commitId }, most, signal),
        },
        since,
        target,
      ),
      signed,
    ]);
    if (refused !== undefined) warn(`warning: ${noBundleWords(refused)}`);
    return member === undefined ? ready : { ...ready, gitfleet: { ...ready.gitfleet, bundle: member } };
  };
}
