import type { Flags } from '../../schemas/flags.ts';
import { APP_ZNODE } from '../../schemas/znodes.ts';
import { isCode } from '../../zookeeper/errors.ts';
import type { FlagsParts } from './change-flags.ts';

/**
 * The directory in which the flags of an app are shown; null: none. The document names it and it names the app: who may
 * write flags alone binds nothing, so no leader and no operator writes with its own rights where a flagger points.
 */
export async function boundDirectory(
  { session, znodes }: Pick<FlagsParts, 'session' | 'znodes'>,
  { metadata }: Flags,
): Promise<string | null> {
  const { plain } = metadata;
  if (plain === undefined || !APP_ZNODE.test(plain)) return null;
  const node = await session.get(plain).catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return null;
    throw error;
  });
  return node?.data.toString('utf8') === znodes.app ? plain : null;
}
