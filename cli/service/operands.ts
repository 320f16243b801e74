import { SERVICE_NAME } from '../../schemas/settings/service-settings.ts';
import type { ServiceAccess } from '../../services/access.ts';
import { openServiceAccess, registrarIn, serviceAccess } from '../../services/access.ts';
import type { SessionAccess } from '../shell/session-access.ts';
import { usage } from '../shell/terminal.ts';

/** The service that a verb is about. @throws FleetError USAGE */
export function serviceOf(words: readonly string[]): string {
  const name = words[0] ?? '';
  if (SERVICE_NAME.test(name)) return name;
  throw usage(
    `${JSON.stringify(name).slice(0, 120)} is no name of a service`,
    'such as shop/web: two plain names with a slash between them',
  );
}

/** A whole number from 1 to 65535. @throws FleetError USAGE */
export function portOf(given: unknown): number {
  const port = Number(given);
  if (/^\d{1,5}$/.test(String(given)) && port >= 1 && port <= 65_535) return port;
  throw usage('--port must be a port from 1 to 65535', 'such as: --port 8080');
}

/** The rights for what a session creates below a service. */
export const accessOf = ({ roles, session }: Pick<SessionAccess, 'roles' | 'session'>): ServiceAccess =>
  roles === null ? openServiceAccess : serviceAccess(roles, registrarIn(session.auth ?? []));
