import { FleetError, type OwnFailure } from '../../runtime/errors.ts';

/**
 * A step or a health check of this release failed, and would again: this server gives the release up at this
 * targetVersion. Any other failure is the agent's own and is tried again.
 */
export class StepFailure extends FleetError {
  readonly step: string;
  /** Its last words, without control characters; the whole is in a file of the state directory. */
  readonly output: string;

  constructor(failure: Omit<OwnFailure, 'next'>, step: string, output = '', cause?: unknown) {
    super({ ...failure, next: 'stall' }, { cause });
    this.name = 'StepFailure';
    this.step = step;
    this.output = output;
  }
}
