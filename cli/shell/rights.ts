import { FleetError } from '../../runtime/errors.ts';
import { isCode } from '../../zookeeper/errors.ts';

/** ZooKeeper's "no" names a znode; a person wants to know whose credential it takes. @throws FleetError NO_AUTH */
export async function asOperator<T>(what: string, work: Promise<T>): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!isCode(error, 'NO_AUTH')) throw error;
    throw FleetError.of(
      'NO_AUTH',
      `${what} is for the operator, and your credential is not theirs (${error.message})`,
      'give the credential that init wrote: --auth-file DIR/operator.auth, or GITFLEET_AUTH_FILE',
      error,
    );
  }
}
