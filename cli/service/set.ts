import { FleetError } from '../../runtime/errors.ts';
import { encodeServiceRule, minAvailable, parseServiceRule, serviceZnodes } from '../../services/contract.ts';
import type { ServiceRuleOutput } from '../../services/output.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';
import { serviceOf } from './operands.ts';

/**
 * `gitfleet service set NAME --min-available 50%`: sets the floor of a service. Without the option it shows the floor.
 */
export async function run({ options, words }: Call): Promise<number> {
  const service = serviceOf(words);
  const given = options['minAvailable'];
  const wanted = given === undefined ? null : floorOf(String(given));
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const { fleet } = serviceZnodes(service);
    const found = await session.get(fleet);
    if (!found) throw FleetError.of('NO_SERVICE', `${service} is not set up for gitfleet`);
    const rule = wanted === null ? parseServiceRule(found.data) : { minAvailable: wanted };
    if (wanted !== null) {
      await written('the floor may be set', () => session.set(fleet, encodeServiceRule(rule), found.stat.version));
    }
    if (options['json']) sayJson({ service, ...rule } satisfies ServiceRuleOutput);
    else say(`${service}: at least ${rule.minAvailable} of the known instances stay`);
    return EXIT.converged;
  });
}

function floorOf(text: string): number | string {
  const parsed = minAvailable().safeParse(/^\d+$/.test(text) ? Number(text) : text);
  if (parsed.success) return parsed.data;
  throw usage('--min-available must be a whole number from 1, or a share from 0% to 100%', 'such as 2 or 50%');
}
