import type { Session } from '../../../zookeeper/session.ts';

/** The requests to a session: overlapping calls count as one round. */
export interface Asked {
  rounds: number;
  readonly calls: string[];
}

/** The same session, which counts its requests. */
export function countRounds(session: Session): { readonly session: Session; readonly asked: Asked } {
  const asked: Asked = { rounds: 0, calls: [] };
  let pending = 0;
  const counting = new Proxy(session, {
    get(target, name) {
      const member = Reflect.get(target, name) as unknown;
      if (typeof member !== 'function' || name === 'vitals') return member;
      return async (...args: unknown[]) => {
        if (pending === 0) asked.rounds += 1;
        pending += 1;
        asked.calls.push(String(name));
        try {
          return await member.apply(target, args);
        } finally {
          pending -= 1;
        }
      };
    },
  });
  return { session: counting, asked };
}
