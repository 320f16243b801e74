import type { Znodes } from '../schemas/znodes.ts';
import { isCode } from '../zookeeper/errors.ts';
import type { Session } from '../zookeeper/session.ts';

export interface InitResult {
  readonly made: string[];
  readonly present: string[];
}

/**
 * Makes what an app needs, all empty: `config` too, so that any ZooKeeper client can set it and every agent can watch
 * it. Repeatable; never changes what is there.
 */
export async function initApp(session: Session, znodes: Znodes): Promise<InitResult> {
  const result: InitResult = { made: [], present: [] };
  await session.ensure(znodes.app.slice(0, znodes.app.lastIndexOf('/')) || '/');
  for (const path of [
    znodes.app,
    znodes.hold,
    znodes.quarantine,
    znodes.policy,
    znodes.deployments,
    znodes.rollout,
    znodes.permits,
    znodes.online,
    znodes.agents,
    znodes.election,
    znodes.fetch,
    znodes.config,
  ]) {
    try {
      await session.create(path, Buffer.alloc(0), 'persistent');
      result.made.push(path);
    } catch (error) {
      if (!isCode(error, 'NODE_EXISTS')) throw error;
      result.present.push(path);
    }
  }
  return result;
}
