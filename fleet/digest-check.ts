import { isCode } from '../zookeeper/errors.ts';
import { ANY_VERSION, type Session } from '../zookeeper/session.ts';

/**
 * Whether the servers count this session as the digest id of an access list: false where they hash credentials with
 * another algorithm than SHA1. Lists would then name ids that no client ever has, the operator's own included, and to
 * give such a list to a znode cannot be taken back.
 *
 * It is tried on an ephemeral znode of a moment, in the first of `places` that lets us make one; null: none does.
 * @param session has shown the credential of `id`.
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
    // If its place does not allow that, it goes with the session.
    await session.remove(path, ANY_VERSION).catch(() => {});
    return met;
  }
  return null;
}
