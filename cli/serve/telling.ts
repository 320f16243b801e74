import type { Access } from '../../fleet/access.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Logger } from '../../runtime/log.ts';
import type { NotifySink } from '../../schemas/settings/serve-notify-settings.ts';
import type { ServeSettings } from '../../schemas/settings/serve-settings.ts';
import { znodes } from '../../schemas/znodes.ts';
import { sendToForge } from '../../serve/forges/open-forge.ts';
import type { Picture } from '../../serve/picture/picture.ts';
import type { Sink } from '../../serve/tell/sink.ts';
import { createCommand } from '../../serve/tell/sinks/command.ts';
import { createForgeSink } from '../../serve/tell/sinks/forge.ts';
import { createSlack } from '../../serve/tell/sinks/slack.ts';
import { createWebhook } from '../../serve/tell/sinks/webhook.ts';
import { startTeller, type Teller, type TellerParts } from '../../serve/tell/start.ts';
import type { Session } from '../../zookeeper/session.ts';
import { forgeAccountsOf } from './forge-accounts.ts';

const ENVIRONMENT = 'production';
const COMMAND_TIMEOUT_MS = 30_000;

interface TellingParts {
  readonly app: string;
  readonly serve: ServeSettings;
  readonly session: Session;
  readonly access: Access;
  readonly picture: Picture;
  readonly counted: TellerParts['counted'];
  readonly log: Logger;
}

/** What `gitfleet serve` tells, as its settings say. */
export function startTelling({ app, serve, session, access, picture, counted, log }: TellingParts): Teller {
  const forges = serve.forges.length === 0 ? [] : [forgeSinkOf(app, serve)];
  return startTeller({
    app,
    session,
    znodes: znodes(app),
    access,
    look() {
      const change = picture.current();
      return change && { view: change.state, now: picture.freshness().now };
    },
    onChange: (changed) => picture.listen({ changed, alive: () => {} }),
    sinks: [...serve.notify.map((sink) => sinkOf(sink, serve)), ...forges],
    silentAfterMs: serve.silentAfter === 'off' ? null : serve.silentAfter,
    counted,
    clock,
    random,
    log,
  });
}

function sinkOf(sink: NotifySink, { url }: ServeSettings): Sink {
  const { name, only } = sink;
  const page = url ?? null;
  const takes: Sink['takes'] = ({ event }) => only?.includes(event.what) ?? true;
  const send = sendToForge(clock);
  // The schema has checked that each kind has what it needs.
  const { url: to = '', secretFile = '', urlFile = '', command = [], environment = ENVIRONMENT } = sink;
  if (sink.kind === 'webhook')
    return createWebhook({ name, url: to, secretFile, environment, page, send, clock, takes });
  if (sink.kind === 'slack') return createSlack({ name, urlFile, page, send, takes });
  const { timeout: timeoutMs = COMMAND_TIMEOUT_MS } = sink;
  return createCommand({ name, command, timeoutMs, page, path: process.env['PATH'] ?? '', clock, takes });
}

function forgeSinkOf(app: string, { forges, url }: ServeSettings): Sink {
  const accounts = forgeAccountsOf({ forges });
  return createForgeSink({ app, accounts, page: url ?? null, send: sendToForge(clock), clock });
}
