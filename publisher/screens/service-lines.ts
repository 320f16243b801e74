import type { Screen } from './columns.ts';
import { line } from './columns.ts';
import { count } from './words.ts';

/** A service of the fleet, as `status` shows it. */
export interface ServiceShown {
  readonly service: string;
  readonly instances: number;
  /** Null: it has no floor. */
  readonly least: number | null;
  readonly out: number;
}

/** `shop/web: 4 instances, 1 out, floor 3`; red below the floor. */
export function serviceLines(services: readonly ServiceShown[], screen: Screen): string[] {
  return services.map(({ service, instances, least, out }) => {
    const away = out > 0 ? `, ${out} out of the list` : '';
    const floor = least === null ? '' : `, floor ${least}`;
    const isBelow = instances === 0 || (least !== null && instances < least);
    return line(screen, `  ${service}: ${count(instances, 'instance')}${away}${floor}`, isBelow ? 'bad' : undefined);
  });
}
