import { roleThatMay } from '../../fleet/access.ts';
import { kindOf } from '../../fleet/app.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { znodes } from '../../schemas/znodes.ts';
import { isCode } from '../../zookeeper/errors.ts';
import type { SessionAccess } from './session-access.ts';

/**
 * Explains a refusal by ZooKeeper to the person who gave a credential, or none: ZooKeeper names a znode, but a person
 * needs the name of the credential file. Returns every other error unchanged.
 */
export function explainRefusal(
  error: unknown,
  { app }: Pick<Settings, 'app'>,
  { session }: Pick<SessionAccess, 'session'>,
): unknown {
  const { code, message } = classify(error);
  const users = (session.auth ?? []).map(({ credential }) => credential.split(':')[0]).join(', ');
  if (code === 'APP_MISSING' && users === '') {
    const hint =
      `run once: gitfleet init --app ${app} (--open for a trial without access rights); check --zookeeper and its chroot; ` +
      'after a wipe, agents keep what they serve: then gitfleet publish --again';
    return FleetError.of(code, message, hint, error);
  }
  if (code !== 'NO_AUTH') return error;
  if (users === '') {
    const reason = `${app} has access rights, and no credential is given here (${message})`;
    return FleetError.of(
      'NO_AUTH',
      reason,
      'give a file that init wrote: --auth-file FILE, GITFLEET_AUTH_FILE, or zookeeper.authFile',
      error,
    );
  }
  if (!isCode(error, 'NO_AUTH')) return error;
  const isRead = /^(get|exists|children)/i.test(message);
  if (isRead) {
    const reason = `the credential given here (${users}) does not belong to ${app} (${message})`;
    return FleetError.of('NO_AUTH', reason, 'give a credential file of the gitfleet init that created this app', error);
  }
  const role = roleThatMay(kindOf(znodes(app), error.path));
  return FleetError.of(
    'NO_AUTH',
    `the credential given here (${users}) does not allow this (${message})`,
    `give the one that init wrote for it: ${role}.auth, with --auth-file or GITFLEET_AUTH_FILE`,
    error,
  );
}

/** For work that needs the operator's credential. The error says so if ZooKeeper refuses. @throws FleetError NO_AUTH */
export async function asOperator<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isCode(error, 'NO_AUTH')) throw error;
    throw FleetError.of(
      'NO_AUTH',
      `${what} requires the operator's credential, and yours is another one (${error.message})`,
      'give the credential that init wrote: --auth-file DIR/operator.auth, or GITFLEET_AUTH_FILE',
      error,
    );
  }
}
