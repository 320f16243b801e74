import { isCode } from '../../zookeeper/errors.ts';
import { ANY_VERSION, type Session } from '../../zookeeper/session.ts';

/**
 * Whether the servers recognise this session by the digest id of an access list: false if they hash credentials with
 * another algorithm than SHA1. Access lists would then name ids that no client can have, including the operator's own,
 * and such a list cannot be taken back.
 *
 * Tested with a short-lived ephemeral znode in the first of `places` where we may create one; null: in none of them.
 * @param session uses the credential of `id`.
 */
export async function isMetBy(
  session: Session,
  id: string,
  places: readonly string[],
  nonce: string,
): Promise<boolean | null> {
  const acl = [{ scheme: 'digest', id, permissions: 'cdrwa' }];
  for (const place of places) {
    const path = `${place === '/' ? '' : place}/gitfleet-probe-${nonce}`;
    try {
      await session.create(path, Buffer.alloc(0), 'ephemeral', { acl });
    } catch (error) {
      if (isCode(error, 'NO_AUTH', 'NO_NODE', 'INVALID_ACL')) continue;
      throw error;
    }
    const met = await session.get(path).then(
      () => true,
      (error: unknown) => {
        if (isCode(error, 'NO_AUTH')) return false;
        throw error;
      },
    );
    // If we may not delete it there, it goes with the session.
    await session.remove(path, ANY_VERSION).catch(() => {});
    return met;
  }
  return null;
}
