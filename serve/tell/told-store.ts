import type { Access } from '../../fleet/access.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { childPath } from '../../zookeeper/paths.ts';
import type { Term } from '../../zookeeper/recipes/candidacy.ts';
import { ANY_VERSION, type Session } from '../../zookeeper/session.ts';
import { encodeToldNote, parseToldNote, type ToldNote } from './note.ts';

/** Where the notes of what was told are. */
export interface ToldStore {
  /** Null: this sink was never told anything. */
  read(sink: string): Promise<ToldNote | null>;
  /** Refused once another server may send. */
  write(sink: string, note: ToldNote): Promise<void>;
}

/**
 * `serve/told/<sink>`. Each write carries the guard of the term, so a server that was elected earlier and is late
 * overwrites nothing. So within a term a note is read once; after a write without a good answer it is read again.
 */
export function toldIn(session: Session, told: string, access: Access, term: Pick<Term, 'guard'>): ToldStore {
  const place = (sink: string): string => childPath(told, sink);
  const known = new Map<string, ToldNote>();
  return {
    async read(sink) {
      const before = known.get(sink);
      if (before !== undefined) return before;
      const found = await session.get(place(sink));
      const note = found && parseToldNote(found.data);
      if (note !== null) known.set(sink, note);
      return note;
    },
    async write(sink, note) {
      known.delete(sink);
      const path = place(sink);
      const data = encodeToldNote(note);
      const set = { op: 'set', path, data, version: ANY_VERSION } as const;
      try {
        await session.transact([term.guard, set]);
      } catch (error) {
        if (!isCode(error, 'NO_NODE') || (await session.exists(path)) !== null) throw error;
        const acl = access.of('serveToldTo');
        await session.transact([term.guard, { op: 'create', path, data, acl, mode: 'persistent' }]);
      }
      known.set(sink, note);
    },
  };
}
