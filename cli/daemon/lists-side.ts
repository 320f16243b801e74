import { join } from 'node:path';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { sha256 } from '../../runtime/sha256.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import type { AgentSettings } from '../../schemas/settings/settings.ts';
import type { ServiceAccess } from '../../services/access.ts';
import { type FollowedLists, followLists } from '../../services/followed-lists.ts';
import { createFileWriter } from '../../services/write/file-writer.ts';
import { keepApplied } from '../../services/write/keep-applied.ts';
import type { Session } from '../../zookeeper/session.ts';
import { commandEnvironment } from '../shell/command-environment.ts';

interface ListsSideParts {
  /** It ends with this process, and so does everything acknowledged with it. */
  readonly session: Session;
  readonly access: ServiceAccess;
  readonly agent: Pick<AgentSettings, 'id' | 'serviceFiles'>;
  readonly appState: string;
  readonly log: Logger;
  readonly shutdown: Pick<Shutdown, 'add'>;
}

/**
 * What this server reads from services: the files that the settings name, with the code of `gitfleet service write`,
 * and the lists for programs that ask the endpoint. No deployment waits for it.
 */
export function listsSide({ session, access, agent, appState, log, shutdown }: ListsSideParts): FollowedLists {
  const stop = new AbortController();
  const parts = { session, access, clock, random };
  const keeping = agent.serviceFiles.map((rule) => {
    const { service, out } = rule;
    const id = `${agent.id}-${newNonce().slice(0, 8)}`;
    const apply = createFileWriter(rule, commandEnvironment(), clock);
    const own = log.child({ service, file: out });
    // One per file, because two files may belong to one service.
    const cacheDirectory = join(appState, 'lists', sha256(Buffer.from(out)).slice(0, 16));
    return keepApplied(
      { ...parts, service, id, what: `file ${out} of ${agent.id}`, apply, cacheDirectory, log: own },
      stop.signal,
    );
  });
  const lists = followLists({ session, clock, random, log });
  shutdown.add('lists of services', async () => {
    stop.abort();
    await Promise.all([...keeping, lists.close()]);
  });
  return lists;
}
