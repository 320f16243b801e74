import { FleetError } from '../../runtime/errors.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { digestId } from '../../zookeeper/acl.ts';
import { readAuth, type SessionAccess } from '../shell/session-access.ts';

interface CoordinatorAccess {
  /** Whether this agent may be elected to lead rollouts. */
  readonly stands: boolean;
  /** What its session shows the servers besides its own. */
  readonly auth: readonly { readonly scheme: string; readonly credential: string }[];
}

const NOT: CoordinatorAccess = { stands: false, auth: [] };

/**
 * An agent stands for election where its settings hold the coordinator's credential, or the app is an open one.
 * @throws FleetError SETTINGS, also where the file is another role's: such a leader's orders would all be refused.
 */
export async function coordinatorAccess({ coordinator }: Settings, own: SessionAccess): Promise<CoordinatorAccess> {
  if (!coordinator.candidate) return NOT;
  const file = coordinator.authFile;
  const auth = file === undefined ? [] : (await readAuth(file)).auth;
  const { roles } = own;
  if (roles === null) return { stands: true, auth };
  const leads = [...(own.session.auth ?? []), ...auth].some(({ scheme, credential }) => {
    const [user = '', ...password] = credential.split(':');
    const id = digestId(user, password.join(':'));
    return scheme === 'digest' && (id === roles.coordinator || id === roles.operator);
  });
  if (leads || file === undefined) return { stands: leads, auth };
  throw FleetError.of(
    'SETTINGS',
    `coordinator.authFile ${file} is not the coordinator's credential of this app`,
    'gitfleet init --credentials DIR wrote it as DIR/coordinator.auth',
  );
}
