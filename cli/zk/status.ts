import { systemClock } from '../../runtime/clock.ts';
import { jsonLine, visible } from '../../runtime/safe-text.ts';
import { parseConnectString } from '../../zookeeper/connect-string.ts';
import { judgeRoles, type ServerStatus, serverName, serverStatus } from '../../zookeeper/wire/four-letter.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say } from '../shell/terminal.ts';

/**
 * `gitfleet zk status`: exits 0 if the hosts are one ensemble that serves; 1 if some serve, but not as one (a
 * standalone server among several, two leaders, or no leader while a server looks for one); 7 if none serves.
 */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  const { hosts } = parseConnectString(settings.zookeeper.connect);
  const statuses = await serverStatus(hosts, { timeoutMs: 3_000, clock: systemClock });
  const judgement = judgeRoles(statuses);
  if (options['json']) say(...statuses.map((status) => jsonLine(status)));
  else say(...statuses.map(statusLine), ...judgement.words.map((words) => visible(words)));
  return EXIT_BY[judgement.is];
}

const EXIT_BY = { serving: EXIT.converged, broken: EXIT.failed, away: EXIT.unavailable } as const;

function statusLine(status: ServerStatus): string {
  const { role, reason = '', version = '?' } = status;
  const rest = role === 'unreachable' ? visible(reason) : `version ${visible(version, 60)}`;
  return `${serverName(status)}  ${role}  ${rest}`;
}
