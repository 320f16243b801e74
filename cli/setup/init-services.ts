import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ROLES, type RoleIds } from '../../fleet/access.ts';
import { parseCredentials } from '../../fleet/enrolment/credentials.ts';
import { writeDurably } from '../../runtime/durable-file.ts';
import { SERVICE_NAME } from '../../schemas/settings/service-settings.ts';
import { openServiceAccess, REGISTRAR, registrarIn, serviceAccess } from '../../services/access.ts';
import { makeService } from '../../services/make-service.ts';
import type { Session } from '../../zookeeper/session.ts';
import { usage } from '../shell/terminal.ts';

/** What `init --service` did for one service. */
export interface InitService {
  readonly service: string;
  readonly made: readonly string[];
  /** The registrar's credential; null: the service is open. */
  readonly credential: string | null;
}

/** @throws FleetError USAGE */
export function servicesOf(given: unknown): readonly string[] {
  const names = (given as string[] | undefined) ?? [];
  const wrong = names.find((name) => !SERVICE_NAME.test(name));
  if (wrong === undefined) return names;
  throw usage(`${JSON.stringify(wrong).slice(0, 120)} is no name of a service`, 'such as: --service shop/web');
}

/**
 * Sets up services, each with its own rights and a credential file for its registrar. Repeatable: an existing
 * credential is kept, and registrations stay.
 * @param roles null: the app is open, and so are its services.
 */
export async function initServices(
  session: Session,
  services: readonly string[],
  directory: string | null,
  roles: RoleIds | null,
): Promise<InitService[]> {
  const done: InitService[] = [];
  for (const service of services) {
    if (directory === null || roles === null) {
      done.push({ service, ...(await makeService(session, service, openServiceAccess, true)), credential: null });
      continue;
    }
    const credential = join(directory, `${REGISTRAR}-${service.replace('/', '+')}.auth`);
    const access = serviceAccess(roles, await registrarOf(credential, service, roles));
    done.push({ service, ...(await makeService(session, service, access, true)), credential });
  }
  return done;
}

async function registrarOf(file: string, service: string, roles: RoleIds): Promise<string> {
  const there = await readFile(file, 'utf8').catch(() => null);
  if (there === null) await writeDurably(file, contentOf(service, roles), 0o600);
  const parsed = parseCredentials(there ?? (await readFile(file, 'utf8')));
  const id = 'auth' in parsed ? registrarIn(parsed.auth) : null;
  if (id !== null) return id;
  throw usage(`${file} is not a registrar's credential`, 'move it away, and run init again');
}

function contentOf(service: string, roles: RoleIds): string {
  const password = randomBytes(24).toString('base64url');
  const lines = [
    `# gitfleet credential of the registrar of ${service}: keep it secret`,
    `auth digest:${REGISTRAR}:${password}`,
    ...ROLES.flatMap((role) => (roles[role] === undefined ? [] : [`role ${role} ${roles[role]}`])),
  ];
  return `${lines.join('\n')}\n`;
}
