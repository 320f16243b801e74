import type { Clock } from '../../runtime/clock.ts';
import { howItEnded } from '../../runtime/process.ts';
import { clean } from '../../runtime/safe-text.ts';
import type { HealthCheck } from '../../schemas/steps.ts';
import { lookHttp, lookTcp } from '../../services/look.ts';
import type { StepFacts, StepRunner } from './runner.ts';

/** One look with one check: null if all is well, else what is wrong. Never throws; ends within the check's timeout. */
export type Probe = (check: HealthCheck, facts: StepFacts, signal: AbortSignal) => Promise<string | null>;

export function createProbe(steps: StepRunner, clock: Clock): Probe {
  return async (check, facts, signal) => {
    if (check.http !== undefined) return await lookHttp(check.http, check.status, check.timeout, clock, signal);
    if (check.tcp !== undefined) return await lookTcp(check.tcp, check.timeout, clock, signal);
    const unit = check.unit;
    const command = check.command ?? ['systemctl', 'is-active', '--', unit as string];
    const result = await steps.check(command, check.timeout, facts, signal);
    if (result.ended === 'exit' && result.exitCode === 0) return null;
    const said = clean(result.stdout.toString('utf8').trim().slice(-300));
    return `${unit ?? command[0]} ${howItEnded(result, check.timeout)}${said === '' ? '' : `: ${said}`}`;
  };
}
