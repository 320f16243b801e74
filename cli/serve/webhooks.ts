import { readFleet } from '../../fleet/fleet-view.ts';
import type { PublishParts } from '../../fleet/publish-transaction.ts';
import { publish } from '../../publisher/publish.ts';
import { judgeSignature } from '../../publisher/required-signature.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import { classify, FleetError } from '../../runtime/errors.ts';
import type { Logger } from '../../runtime/log.ts';
import { newNonce } from '../../runtime/nonce.ts';
import type { Shutdown } from '../../runtime/shutdown.ts';
import type { Installation } from '../../schemas/settings/serve-webhooks-settings.ts';
import type { Settings } from '../../schemas/settings/settings.ts';
import { znodes } from '../../schemas/znodes.ts';
import { readSecretLine } from '../../serve/forges/secret.ts';
import { type LookParts, lookAtBranch } from '../../serve/webhooks/look.ts';
import { startLooks } from '../../serve/webhooks/looks.ts';
import { openReceiver } from '../../serve/webhooks/receiver.ts';
import { isWeak } from '../../serve/webhooks/signature.ts';
import { openSession } from '../../zookeeper/open-session.ts';
import { audienceOf, signerOf } from '../deploy/signer.ts';
import { sessionAccess } from '../shell/session-access.ts';
import { tipReader } from './branch-tip.ts';
import { refusalOf } from './refusal.ts';
import { tellServiceManager } from './service-manager.ts';

/**
 * `gitfleet serve --webhooks`: publishes the branches of `serve.webhooks` when their forge rings, and by looking now and
 * then. It shows no page. Without secret files nothing listens. @returns as `serve` does
 */
export async function receive(settings: Settings, log: Logger, shutdown: Shutdown) {
  const { listen, installations } = settings.serve.webhooks;
  if (installations.length === 0) throw none();
  for (const { secretFiles } of installations) await Promise.all(secretFiles.map(secretIn));
  const { access, session: how } = await sessionAccess(settings);
  const session = openSession({ connect: settings.zookeeper.connect, ...how, clock, random, log });
  shutdown.add('ZooKeeper session', () => session.close());
  const gone = refusalOf(session, shutdown.signal);
  const publishing = { session, znodes: znodes(settings.app), access, now: () => clock.now(), newNonce };
  const open = installations.map((installation) => {
    const parts = partsOf(settings, installation, publishing, log, shutdown.signal);
    const { poll: pollMs, secretFiles } = installation;
    const looks = startLooks({ clock, random, log, pollMs, look: () => lookAtBranch(parts) }, shutdown.signal);
    return { ...installation, ring: looks.ring, secrets: () => secretsIn(secretFiles, log) };
  });
  const ringing = open.filter(({ secretFiles }) => secretFiles.length > 0);
  if (ringing.length > 0) {
    const receiver = await openReceiver(listen, ringing, { clock, log }).catch((cause: Error) => {
      const where = `${listen.host} port ${listen.port}: ${cause.message}`;
      throw FleetError.of('LISTEN', where, 'give serve.webhooks.listen a port that is free', cause);
    });
    shutdown.add('HTTP', () => receiver.close());
    log.info({ host: listen.host, port: receiver.port }, 'receiving webhooks');
  }
  await tellServiceManager(log, shutdown);
  return { gone };
}

function partsOf(
  settings: Settings,
  installation: Installation,
  publishing: PublishParts,
  log: Logger,
  stopping: AbortSignal,
): LookParts {
  const { name } = installation;
  const audience = audienceOf(settings);
  return {
    installation,
    publishing,
    log,
    readTip: tipReader(settings.serve, installation, stopping),
    async publish(since, target, more) {
      const { refusal } = judgeSignature(await readFleet(publishing.session, publishing.znodes), audience);
      if (refusal) throw refusal;
      const signer = await signerOf(settings);
      const signed = (await signer?.sign(target, since.config.target)) ?? target;
      return await publish(publishing, since, { target: signed, by: `webhook ${name}`, ...more });
    },
  };
}

/** Those that can be read now: a damaged new one must not shut out what the old one signs. @throws if there is none */
export async function secretsIn(files: readonly string[], log: Logger): Promise<string[]> {
  const read = await Promise.allSettled(files.map(secretIn));
  const failed = read.filter((each) => each.status === 'rejected');
  if (failed.length === files.length && failed[0]) throw failed[0].reason;
  for (const { reason } of failed)
    log.warn({ err: classify(reason) }, 'a webhook secret cannot be read and does not count');
  return read.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
}

/** @throws FleetError SETTINGS */
async function secretIn(file: string): Promise<string> {
  const secret = await readSecretLine(file);
  if (!isWeak(secret)) return secret;
  const hint = `make one: (umask 077; openssl rand -hex 32 > ${file})`;
  throw FleetError.of('SETTINGS', `${file} holds a secret of fewer than 16 bytes, which can be guessed`, hint);
}

const none = () =>
  FleetError.of(
    'SETTINGS',
    'serve.webhooks.installations is empty, so there is no branch to publish',
    'name one in the settings file: docs/forges.md',
  );
