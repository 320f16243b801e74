import { layoutOf } from '../../agent/disk/layout.ts';
import { readLeft, writeLeft } from '../../agent/services/left-by-hand.ts';
import { systemClock as clock } from '../../runtime/clock.ts';
import { parseDuration } from '../../schemas/duration.ts';
import { agentSettings } from '../../schemas/settings/settings.ts';
import { parseServiceRule, serviceZnodes } from '../../services/contract.ts';
import { agentOf, judgeLeave } from '../../services/floor.ts';
import type { ServiceLeftOutput } from '../../services/output.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { becomeAgentUser, noAgent } from '../shell/agent-user.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage, warn } from '../shell/terminal.ts';
import { serviceOf } from './operands.ts';

/**
 * `gitfleet service leave NAME -m WHY`, on a server: its agent leaves the service as soon as the floor allows, and
 * stays out until `gitfleet service join NAME`, even across restarts.
 */
export async function run(call: Call): Promise<number> {
  const { options, words } = call;
  const service = serviceOf(words);
  const timeoutMs = parseDuration(String(options['timeout'] ?? '60s'));
  if (timeoutMs === null) throw usage('--timeout must be a duration of at most 24 days', 'such as 60s');
  const { settings, agentId, appState } = await ofThisServer(call, service);
  const left = { by: author(process.env), reason: String(options['message'] ?? ''), at: clock.now() };
  await writeLeft(appState, { ...(await readLeft(appState)), [service]: left }).catch(
    (error: NodeJS.ErrnoException) => {
      throw error.code === 'ENOENT' ? noAgent(appState) : error;
    },
  );
  const isOut = await withSession(settings, (session) => untilOut(session, service, agentId, timeoutMs));
  if (options['json']) sayJson({ service, agentId, left: isOut } satisfies ServiceLeftOutput);
  else if (isOut) say(`${agentId} has left ${service}`, `next: gitfleet service join ${service} puts it back`);
  else say(`${agentId} has not left ${service} yet, and leaves once the floor allows it`);
  return isOut ? EXIT.converged : EXIT.notConverged;
}

/** The agent of this server, whose settings must name the service. @throws FleetError USAGE */
export async function ofThisServer({ options }: Call, service: string) {
  const settings = await readSettings(options);
  const agent = agentSettings(settings);
  if (!agent.services.some(({ name }) => name === service)) {
    throw usage(`agent.services of this server does not name ${service}`, 'gitfleet service list shows who serves it');
  }
  await becomeAgentUser(agent.state);
  return { settings, agentId: agent.id, appState: layoutOf(agent.root, agent.state, settings.app).appState };
}

const LOOK_MS = 200;

async function untilOut(session: Session, service: string, agentId: string, timeoutMs: number): Promise<boolean> {
  const until = clock.monotonic() + timeoutMs;
  let told = '';
  for (;;) {
    const waits = await whyListed(session, service, agentId);
    if (waits === null) return true;
    if (clock.monotonic() > until) return false;
    if (waits !== told && waits !== '') warn(`FLOOR: ${waits}`);
    told = waits;
    await clock.sleep(LOOK_MS);
  }
}

/** Null: it is not listed. Empty: nothing known keeps it. */
async function whyListed(session: Session, service: string, agentId: string): Promise<string | null> {
  const paths = serviceZnodes(service);
  const [listed, twins, fleet] = await Promise.all([
    session.children(paths.list),
    session.children(paths.instances).catch(() => null),
    session.get(paths.fleet).catch(() => null),
  ]);
  const own = (listed ?? []).find((name) => agentOf(name) === agentId);
  if (own === undefined) return null;
  if (!fleet) return '';
  const may = judgeLeave(own, { listed: listed ?? [], twins: twins ?? [], rule: parseServiceRule(fleet.data) });
  return may.kind === 'wait' ? may.words : '';
}
