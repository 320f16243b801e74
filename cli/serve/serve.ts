import { randomBytes } from 'node:crypto';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import { createLog, type Logger } from '../../runtime/log.ts';
import { openTokenFile } from '../../runtime/secrets/token-file.ts';
import { createShutdown, type Shutdown } from '../../runtime/shutdown.ts';
import type { ServeSettings } from '../../schemas/settings/serve-settings.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { znodes } from '../../schemas/znodes.ts';
import { openApi } from '../../serve/api/openapi.ts';
import { createHandler, type Handler } from '../../serve/http/handler.ts';
import { type Listening, listen } from '../../serve/http/listen.ts';
import { createStream } from '../../serve/http/stream.ts';
import { createFleetMetrics } from '../../serve/metrics/fleet.ts';
import { createServerMetrics } from '../../serve/metrics/registry.ts';
import { pageFiles } from '../../serve/page/files.ts';
import { openPicture, type Picture } from '../../serve/picture/picture.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import type { Call } from '../command-table.ts';
import { pageDirectory } from '../packaging-files.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { sessionAccess } from '../shell/session-access.ts';
import { readSettings } from '../shell/settings.ts';
import { onSignals } from '../shell/signals.ts';
import { version } from '../version.ts';
import { refusalOf } from './refusal.ts';
import { tellServiceManager } from './service-manager.ts';
import { startTelling } from './telling.ts';

/** `gitfleet serve`: the page and the API of one app, until Ctrl-C or SIGTERM. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  const log = createLog({ level: settings.log.level, bindings: { app: settings.app } });
  const shutdown = createShutdown((name, error) => log.warn({ err: classify(error) }, `stopping ${name} failed`));
  const stopped = untilAsked();
  try {
    const start = options['webhooks'] === true ? (await import('./webhooks.ts')).receive : serve;
    const { gone } = await start(settings, log, shutdown);
    log.info({ signal: await Promise.race([stopped, gone]) }, 'stopping');
    return EXIT.converged;
  } finally {
    await shutdown.stop();
  }
}

/** A second signal ends the process at once. A reload has nothing to do: every file is read again when it changes. */
function untilAsked(): Promise<NodeJS.Signals> {
  let asked = false;
  return new Promise((resolve) => {
    onSignals((signal) => {
      if (signal === 'SIGHUP') return;
      if (asked) process.exit(EXIT.detached);
      asked = true;
      resolve(signal);
    });
  });
}

/** Serves. @returns what rejects if ZooKeeper refuses us for good: the service manager then starts us with new files. */
async function serve(settings: Settings, log: Logger, shutdown: Shutdown): Promise<{ readonly gone: Promise<never> }> {
  const { access, session: how } = await sessionAccess(settings);
  const session = openSession({ connect: settings.zookeeper.connect, ...how, clock, random, log });
  shutdown.add('ZooKeeper session', () => session.close());
  const gone = refusalOf(session, shutdown.signal);
  const picture = openPicture({ session, clock, random, log }, znodes(settings.app), shutdown.signal);
  const streams = streamsOf(settings, picture, shutdown);
  const metrics = metricsOf(settings, picture, streams);
  const handle = await handlerOf(settings, picture, streams, metrics, log);
  const { app, serve: said } = settings;
  const teller = startTelling({ app, serve: said, session, access, picture, counted: metrics.fleet.told, log });
  shutdown.add('telling', () => teller.close());
  const { listen: address, socket } = settings.serve;
  const places = [address, ...(socket === undefined ? [] : [{ socket }])];
  for (const place of places) {
    const { port } = await listening(place, handle, shutdown);
    log.info('socket' in place ? place : { host: place.host, port }, 'serving the page and the API');
  }
  await tellServiceManager(log, shutdown);
  return { gone };
}

type Streams = ReturnType<typeof streamsOf>;
type Metrics = ReturnType<typeof metricsOf>;

function streamsOf({ serve, app }: Settings, picture: Picture, shutdown: Shutdown) {
  const links = serve.links.map((link) => ({ ...link, compare: link.compare ?? null }));
  const head = { app, version, links };
  const stream = createStream({ picture, head, processId: randomBytes(6).toString('hex'), clock });
  shutdown.add('streams', () => stream.close());
  return { head, stream };
}

function metricsOf({ app }: Settings, picture: Picture, { stream }: Streams) {
  const isStale = () => picture.freshness().zookeeper.stale !== null;
  const server = createServerMetrics({ app, version, streams: stream.count, isStale });
  const fleet = createFleetMetrics(server.registry);
  picture.listen({ changed: ({ state }) => fleet.changed(state), alive: () => {} });
  return { server, fleet };
}

async function handlerOf(
  { serve }: Settings,
  picture: Picture,
  { head, stream }: Streams,
  { server: metrics }: Metrics,
  log: Logger,
): Promise<Handler> {
  const token = serve.tokenFile === undefined ? null : await openTokenFile(serve.tokenFile, { clock, log });
  const rules = rulesOf(serve);
  const page = pageFiles(pageDirectory());
  return createHandler({ picture, head, page, metrics, documents: DOCUMENTS, rules, token, stream, log });
}

const DOCUMENTS: ReadonlyMap<string, () => unknown> = new Map([['/api/v1/openapi.json', openApi]]);

function rulesOf({ url, hosts, userHeader, tokenFile }: ServeSettings) {
  const shown = url === undefined ? null : new URL(url);
  return {
    hosts: new Set([...hosts.map((host) => host.toLowerCase()), ...(shown ? [shown.hostname] : [])]),
    origins: new Set(shown ? [shown.origin] : []),
    userHeader: userHeader?.toLowerCase() ?? null,
    hasToken: tokenFile !== undefined,
  };
}

/** @throws FleetError LISTEN */
async function listening(place: Parameters<typeof listen>[0], handle: Handler, shutdown: Shutdown): Promise<Listening> {
  const open = await listen(place, handle).catch((cause: unknown) => {
    const where = 'socket' in place ? place.socket : `${place.host} port ${place.port}`;
    throw FleetError.of(
      'LISTEN',
      `${where}: ${(cause as Error).message}`,
      'give serve.listen a port that is free',
      cause,
    );
  });
  shutdown.add('HTTP', () => open.close());
  return open;
}
