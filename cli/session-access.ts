import { readFile, stat } from 'node:fs/promises';
import { FleetError } from '../runtime/errors.ts';
import type { Settings } from '../schemas/settings.ts';
import type { SessionOptions } from '../zookeeper/open-session.ts';

type Access = Pick<SessionOptions, 'sessionTimeoutMs' | 'auth' | 'tls' | 'defaultAcl'>;

/** Who we are to ZooKeeper, read from the files that the settings name. @throws FleetError SETTINGS */
export async function sessionAccess({ zookeeper }: Settings): Promise<Access> {
  const { authFile, tls } = zookeeper;
  return {
    sessionTimeoutMs: zookeeper.sessionTimeout,
    defaultAcl: 'open',
    ...(authFile === undefined ? {} : { auth: await readAuth(authFile) }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            ...(tls.caFile === undefined ? {} : { ca: await read(tls.caFile) }),
            ...(tls.certFile === undefined ? {} : { cert: await read(tls.certFile) }),
            ...(tls.keyFile === undefined ? {} : { key: await readSecret(tls.keyFile) }),
          },
        }),
  };
}

/** One `scheme:credential` per line, such as `digest:agent-web-1:secret`; blank lines and `#` lines are passed over. */
async function readAuth(file: string): Promise<NonNullable<Access['auth']>> {
  const lines = (await readSecret(file)).toString('utf8').split('\n');
  return lines.flatMap((line, at) => {
    if (line.trim() === '' || line.startsWith('#')) return [];
    const found = /^([a-z0-9]+):(.+)$/.exec(line.trim());
    if (!found) throw refusal(`line ${at + 1} of ${file} is not scheme:credential`, 'such as digest:user:password');
    return [{ scheme: found[1] as string, credential: found[2] as string }];
  });
}

async function readSecret(file: string): Promise<Buffer> {
  const content = await read(file);
  if (((await stat(file)).mode & 0o077) === 0) return content;
  throw refusal(`${file} holds a secret and others may read it`, `chmod 600 ${file}`);
}

async function read(file: string): Promise<Buffer> {
  return await readFile(file).catch((error: Error) => {
    throw refusal(
      `${file} cannot be read: ${error.message}`,
      'check the name in the settings, and the owner of the file',
    );
  });
}

const refusal = (reason: string, hint: string): FleetError =>
  new FleetError({ code: 'SETTINGS', reason, hint, next: 'stall' });
