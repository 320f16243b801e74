import { systemClock as clock } from '../../runtime/clock.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { parseConnectString } from '../../zookeeper/connect-string.ts';
import { judgeRoles, serverStatus } from '../../zookeeper/wire/four-letter.ts';

/**
 * Why the hosts of the settings are not one ensemble that serves. Null: they are, there is only one host, or it is not
 * known within `timeoutMs`. With TLS it cannot be found out: the servers answer no administrative commands on such a
 * port.
 */
export async function ensembleTrouble({ zookeeper }: Settings, timeoutMs: number): Promise<string | null> {
  const { hosts } = parseConnectString(zookeeper.connect);
  if (hosts.length < 2 || zookeeper.tls) return null;
  return judgeRoles(await serverStatus(hosts, { timeoutMs, clock })).trouble.join('; ') || null;
}
