import type { Session } from '../../zookeeper/session.ts';

/** Rejects when ZooKeeper refuses the session for good; otherwise pending. */
export function refusalOf(session: Session, stopping: AbortSignal): Promise<never> {
  const gone = new Promise<never>((_, reject) => {
    session.onState((state) => {
      if (state === 'closed' && !stopping.aborted) session.connected().catch(reject);
    });
  });
  gone.catch(() => {});
  return gone;
}
