import { systemClock } from '../../runtime/clock.ts';
import { clean } from '../../runtime/safe-text.ts';
import { parseConnectString } from '../../zookeeper/connect-string.ts';
import { explainRoles, serverStatus } from '../../zookeeper/wire/four-letter.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { readSettings } from '../shell/settings.ts';
import { say } from '../shell/terminal.ts';

/** `gitfleet zk status`: exits 7 when no quorum serves. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  const { hosts } = parseConnectString(settings.zookeeper.connect);
  const status = await serverStatus(hosts, { timeoutMs: 3_000, clock: systemClock });
  const serving = status.some((server) => server.role !== 'unreachable');
  if (options['json']) for (const server of status) say(JSON.stringify(server));
  else {
    for (const server of status) {
      const rest =
        server.role === 'unreachable'
          ? `  ${clean(server.reason ?? '')}`
          : `  version ${clean(server.version ?? '?', 60)}`;
      say(`${server.host}:${server.port}  ${server.role}${rest}`);
    }
    say(...explainRoles(status));
  }
  return serving ? EXIT.converged : EXIT.unavailable;
}
