import { hostname } from 'node:os';
import { machineDigest, machineName } from '../../agent/disk/machine-id.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { classify } from '../../runtime/errors.ts';
import { createLog, type Logger } from '../../runtime/log.ts';
import { createShutdown } from '../../runtime/shutdown.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { AGENT_ID } from '../../schemas/znodes.ts';
import { addressText } from '../../services/contract.ts';
import { chooseHost, networkAddresses } from '../../services/host.ts';
import { lookHttp, lookTcp } from '../../services/look.ts';
import { createLooker, LOOK_RULE } from '../../services/look-after.ts';
import { keepRegistered } from '../../services/registration.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { sessionAccess } from '../shell/session-access.ts';
import { readSettings } from '../shell/settings.ts';
import { holdSignals, onSignals } from '../shell/signals.ts';
import { usage } from '../shell/terminal.ts';
import { accessOf, portOf, serviceOf } from './operands.ts';

/**
 * `gitfleet service register NAME --port P`: keeps a service of this machine registered while its check is well, in the
 * foreground, for a unit of its own. The registration ends with the process. A service that gitfleet deploys belongs in
 * agent.services, which takes deployments into account.
 */
export async function run({ options, words }: Call): Promise<number> {
  holdSignals();
  const service = serviceOf(words);
  const port = portOf(options['port']);
  const agentId = String(options['id'] ?? hostname());
  if (!AGENT_ID.test(agentId)) throw usage('--id must be a plain name', 'letters, digits and . _ -, at most 100');
  const host = chooseHost(options['host'] as string | undefined, networkAddresses);
  const look = lookOf(options['check'] as string | undefined, addressText({ host, port }));
  const settings = await readSettings(options);
  const log = createLog({ level: settings.log.level, bindings: { service } });
  const shutdown = createShutdown((name, error) => log.warn({ err: classify(error) }, `stopping ${name} failed`));
  onSignals((signal) => {
    if (signal !== 'SIGHUP') shutdown.ask();
  });
  try {
    await keep({ settings, service, agentId, address: { host, port }, look, log }, shutdown.signal);
  } finally {
    await shutdown.stop();
    log.info('stopped');
  }
  return EXIT.converged;
}

interface Keeping {
  readonly settings: Settings;
  readonly service: string;
  readonly agentId: string;
  readonly address: { readonly host: string; readonly port: number };
  readonly look: (signal: AbortSignal) => Promise<string | null>;
  readonly log: Logger;
}

async function keep({ settings, service, agentId, address, look, log }: Keeping, stop: AbortSignal): Promise<void> {
  const allowed = await sessionAccess(settings);
  const session = openSession({ connect: settings.zookeeper.connect, ...allowed.session, clock, random, log });
  const machineId = machineDigest(
    await machineName('/etc/machine-id', '/nonexistent', agentId).catch(() => hostname()),
  );
  const registration = keepRegistered({
    ...{ session, service, agentId, machineId, address, clock, random, log },
    access: accessOf(allowed),
    facts: () => ({ commit: null, deployment: null, labels: {} }),
  });
  registration.onChange(() => {
    if (registration.problem !== null) log.error({ address: addressText(address) }, registration.problem);
  });
  try {
    await createLooker({ look, rule: LOOK_RULE, say: registration.say, clock, random }).run(stop);
  } finally {
    await registration.stop();
    await session.close();
  }
}

const LOOK_MS = 1_000;

/** `tcp`, the default, checks the address that callers get; or a url. @throws FleetError USAGE */
function lookOf(check: string | undefined, address: string): Keeping['look'] {
  if (check === undefined || check === 'tcp') {
    return (signal) => lookTcp(address, LOOK_MS, clock, signal);
  }
  if (/^https?:\/\//.test(check) && URL.canParse(check)) {
    return (signal) => lookHttp(check, undefined, LOOK_MS, clock, signal);
  }
  throw usage('--check must be tcp or a url', 'such as: --check http://127.0.0.1:8080/up');
}
