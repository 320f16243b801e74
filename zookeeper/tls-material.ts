import { createSecureContext } from 'node:tls';
import { ZooKeeperError } from './errors.ts';
import type { TlsMaterial } from './wire/connection-types.ts';

/** Without this check, bad material would look like an unreachable server. @throws ZooKeeperError BAD_TLS */
export function checkTls(tls: TlsMaterial | undefined): void {
  if (!tls) return;
  try {
    createSecureContext(tls);
  } catch (cause) {
    const reason = `the TLS material is refused: ${(cause as Error).message}`;
    throw new ZooKeeperError({ code: 'BAD_TLS', reason }, { path: '/', outcome: 'none', cause });
  }
}
