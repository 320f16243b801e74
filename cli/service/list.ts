import { visible } from '../../runtime/safe-text.ts';
import { addressText } from '../../services/contract.ts';
import type { Instance } from '../../services/instance.ts';
import type { InstanceOutput, InstancesOutput, ServiceNamesOutput } from '../../services/output.ts';
import { serviceNames } from '../../services/read-list.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { serviceOf } from './operands.ts';
import { readOnce } from './read-once.ts';

/** `gitfleet service list [NAME]`: the instances of a service, or the names of all services. */
export async function run({ options, words }: Call): Promise<number> {
  const settings = await readSettings(options);
  if (words.length === 0) {
    const names = await withSession(settings, serviceNames);
    if (options['json']) sayJson({ services: names } satisfies ServiceNamesOutput);
    else say(...(names.length > 0 ? names : ['no service is registered; gitfleet service register NAME --port P']));
    return EXIT.converged;
  }
  const service = serviceOf(words);
  const { list, ageMs } = await readOnce(settings, service, (options['cache'] as string | undefined) ?? null);
  if (options['json'])
    sayJson({ service, state: list.state, ageMs, instances: list.instances.map(outputOf) } satisfies InstancesOutput);
  else say(`${service}: ${list.state}, ${list.instances.length} instances`, ...list.instances.map(instanceLine));
  return EXIT.converged;
}

export const outputOf = ({ name, host, port, twin }: Instance): InstanceOutput => ({
  ...{ name, host, port, agent: twin?.agentId ?? null, commit: twin?.commit ?? null },
  ...{ deployment: twin?.deployment ?? null, labels: twin?.labels ?? {}, unwell: twin?.unwell ?? null },
});

function instanceLine(instance: Instance): string {
  const { twin } = instance;
  const by = twin
    ? twin.commit
      ? `commit ${twin.commit.slice(0, 12)}`
      : 'no commit'
    : 'registered by another program';
  const unwell = twin?.unwell ? `; not well, kept by the floor: ${twin.unwell}` : '';
  return `  ${addressText(instance)}  ${visible(instance.name, 120)}  ${visible(by + unwell, 300)}`;
}
