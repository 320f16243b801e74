import { createHash } from 'node:crypto';
import jute from 'node-zookeeper-client/lib/jute/index.js';
import type { AclEntry } from './session.ts';
import type { ReplyPayload } from './wire/connection-types.ts';

/** Everyone may do everything: only for trials (`init --open`). */
export const OPEN: readonly AclEntry[] = [{ scheme: 'world', id: 'anyone', permissions: 'cdrwa' }];

/** The id under which a `digest` credential `user:password` appears in access lists. */
export function digestId(user: string, password: string): string {
  return `${user}:${createHash('sha1').update(`${user}:${password}`).digest('base64')}`;
}

const BITS: Record<string, number> = { r: 1, w: 2, c: 4, d: 8, a: 16 };

/** As records of the client library. @throws RangeError for an empty list or a letter that is no permission. */
export function toRecords(acl: readonly AclEntry[]) {
  if (acl.length === 0) throw new RangeError('an access list needs an entry');
  return acl.map((entry) => {
    const record = new jute.data.ACL();
    record.id.scheme = entry.scheme;
    record.id.id = entry.id;
    for (const letter of entry.permissions) {
      const bit = BITS[letter];
      if (bit === undefined) throw new RangeError(`${letter} in ${entry.permissions} is none of the permissions cdrwa`);
      record.perms |= bit;
    }
    return record;
  });
}

export function fromRecords(records: NonNullable<ReplyPayload['acl']>): AclEntry[] {
  return records.map(({ perms, id }) => ({
    scheme: id.scheme,
    id: id.id,
    permissions: [...'cdrwa'].filter((letter) => perms & (BITS[letter] as number)).join(''),
  }));
}
