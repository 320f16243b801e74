import type { CheckColour, Checks } from './checks.ts';
import type { ForgeStatus } from './status.ts';

export type { CheckColour, Checks };

/** The REST API of one repository on its forge, as far as gitfleet uses it. */
export interface Forge {
  /**
   * Says how a deployment is going. The same status twice leaves one on the forge: what is there already is read first,
   * or the forge keeps one by its name.
   * @throws FleetError NOT_DELIVERED or DELIVERY_REFUSED; SETTINGS if its token cannot be read.
   */
  tell(status: ForgeStatus, signal: AbortSignal): Promise<void>;
  /**
   * The checks of a commit by name. Of several with one name the worst counts. A forge answers an unknown commit with
   * none, or with a refusal. @throws as `tell`
   */
  readChecks(commitId: string, signal: AbortSignal): Promise<Checks>;
}
