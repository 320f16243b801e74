import type { AgentView } from '../../fleet/fleet-view.ts';
import { visible } from '../../runtime/safe-text.ts';
import type { UnacknowledgedDrain } from '../../schemas/records/unacknowledged.ts';
import { line, type Screen } from './columns.ts';
import { count, names } from './words.ts';

/** A service of the fleet, as `status` shows it. */
export interface ServiceShown {
  readonly service: string;
  readonly instances: number;
  /** Null: it has no floor. */
  readonly least: number | null;
  readonly out: number;
}

/** `shop/web: not acknowledged by lb1-9f86d081: backend shop of /run/haproxy.sock on lb1`. */
export function unacknowledgedWords({ service, count: all, consumers }: UnacknowledgedDrain): string {
  const more = all > consumers.length ? ` and ${all - consumers.length} more` : '';
  return `${visible(service, 100)}: not acknowledged by ${consumers.map((each) => visible(each, 150)).join(', ')}${more}`;
}

/** The consumers that did not acknowledge a drain for this target, and which agents waited for them in vain. */
export function unacknowledgedLines(fleet: readonly AgentView[], targetVersion: string, screen: Screen): string[] {
  const waited = new Map<string, string[]>();
  for (const { agentId, report } of fleet) {
    if (report?.targetVersion !== targetVersion) continue;
    for (const drain of report.unacknowledged) {
      const words = unacknowledgedWords(drain);
      waited.set(words, [...(waited.get(words) ?? []), agentId]);
    }
  }
  const lines = [...waited].map(([words, agents]) => line(screen, `  ${words} (drain of ${names(agents)})`, 'busy'));
  const more = lines.length - MAX_LINES;
  return more > 0 ? [...lines.slice(0, MAX_LINES), line(screen, `  and ${count(more, 'other drain')}`)] : lines;
}

const MAX_LINES = 5;

/** `shop/web: 4 instances, 1 out, floor 3`; red below the floor. */
export function serviceLines(services: readonly ServiceShown[], screen: Screen): string[] {
  return services.map(({ service, instances, least, out }) => {
    const away = out > 0 ? `, ${out} out of the list` : '';
    const floor = least === null ? '' : `, floor ${least}`;
    const isBelow = instances === 0 || (least !== null && instances < least);
    return line(screen, `  ${service}: ${count(instances, 'instance')}${away}${floor}`, isBelow ? 'bad' : undefined);
  });
}
