import { type Deployment, parseDeployment } from '../schemas/deployment.ts';
import type { NodeData } from '../zookeeper/session.ts';

/**
 * A deployment's record as its znode shows it, with the times of the ensemble: when it was made, and when its outcome
 * was written. What the writer's own clock said is in the bytes and in nothing that is read here. Null where there is
 * no record, or none that this version can read.
 */
export function recordOf(node: NodeData | null): Deployment | null {
  const record = node && parseDeployment(node.data);
  if (!record) return null;
  const { ctime, mtime } = node.stat;
  return { ...record, at: ctime, outcome: record.outcome && { ...record.outcome, at: mtime } };
}
