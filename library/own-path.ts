import { reservedFor } from '../fleet/access.ts';
import { FleetError } from '../runtime/errors.ts';
import { problemOfPath } from '../zookeeper/paths.ts';

/** Returns the path if a program may write there. @throws FleetError ZNODE, ZNODE_RESERVED */
export function ownPath(path: string, apps: readonly string[]): string {
  const problem = problemOfPath(path);
  if (problem) throw FleetError.of('ZNODE', `the znode ${JSON.stringify(path)} ${problem}`);
  const owner = reservedFor(path, apps);
  if (owner !== null) throw FleetError.of('ZNODE_RESERVED', `${path} belongs to ${owner}`);
  return path;
}

/** Returns the path if it is a valid one. @throws FleetError ZNODE */
export function anyPath(path: string): string {
  const problem = problemOfPath(path);
  if (problem) throw FleetError.of('ZNODE', `the znode ${JSON.stringify(path)} ${problem}`);
  return path;
}
