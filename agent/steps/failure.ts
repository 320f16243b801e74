import { FleetError, type OwnFailure } from '../../runtime/errors.ts';

/**
 * A step or a health check of this release failed, and would fail again: this server gives the release up at this
 * targetVersion. Any other failure is the agent's own and is retried.
 */
export class StepFailure extends FleetError {
  readonly step: string;
  /**
   * The newest part of its output, without control characters, which a file of the state directory keeps too. Empty for
   * health checks and restarts.
   */
  readonly output: string;

  constructor(failure: Omit<OwnFailure, 'next'>, step: string, output = '', cause?: unknown) {
    super({ ...failure, next: 'stall' }, { cause });
    this.name = 'StepFailure';
    this.step = step;
    this.output = output;
  }
}
