import { readLeft, writeLeft } from '../../agent/services/left-by-hand.ts';
import type { ServiceJoinedOutput } from '../../services/output.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { ofThisServer } from './leave.ts';
import { serviceOf } from './operands.ts';

/**
 * `gitfleet service join NAME`: ends `gitfleet service leave`. The agent registers after a good look at the service.
 */
export async function run(call: Call): Promise<number> {
  const service = serviceOf(call.words);
  const { agentId, appState } = await ofThisServer(call, service);
  const { [service]: ended, ...others } = await readLeft(appState);
  if (ended) await writeLeft(appState, others);
  if (call.options['json']) sayJson({ service, agentId, ended: ended ?? null } satisfies ServiceJoinedOutput);
  else say(ended ? `${agentId} joins ${service} again while it is well` : `${agentId} was not kept out of ${service}`);
  return EXIT.converged;
}
