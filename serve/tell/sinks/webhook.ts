import { createHmac } from 'node:crypto';
import type { Clock } from '../../../runtime/clock.ts';
import { FleetError } from '../../../runtime/errors.ts';
import { accepted, type Outgoing, type Send } from '../../forges/request.ts';
import { readSecretLine } from '../../forges/secret.ts';
import { cloudEventOf } from '../cloud-event.ts';
import type { Sink } from '../sink.ts';

interface WebhookParts {
  readonly name: string;
  readonly url: string;
  /** With the key: `whsec_` and base64, as Standard Webhooks has it. */
  readonly secretFile: string;
  readonly environment: string;
  readonly page: string | null;
  readonly send: Send;
  readonly clock: Pick<Clock, 'now'>;
  readonly takes: Sink['takes'];
}

/** A webhook that gets each event as a CloudEvent, signed by Standard Webhooks over id, time and bytes. */
export function createWebhook(parts: WebhookParts): Sink {
  const { name, secretFile, environment, page, send, clock, takes } = parts;
  return {
    name,
    takes,
    async send(message, signal) {
      const key = keyIn(await readSecretLine(secretFile), secretFile);
      const body = JSON.stringify(cloudEventOf(message, environment, page));
      const seconds = Math.floor(clock.now() / 1_000);
      const outgoing: Outgoing = {
        method: 'POST',
        url: new URL(parts.url),
        headers: {
          'Content-Type': 'application/cloudevents+json; charset=utf-8',
          ...signed(message.id, seconds, body, key),
        },
        body,
      };
      accepted(outgoing, await send(outgoing, signal));
    },
  };
}

/** The three headers of Standard Webhooks. */
export function signed(id: string, seconds: number, body: string, key: Buffer): Record<string, string> {
  const mac = createHmac('sha256', key).update(`${id}.${seconds}.${body}`).digest('base64');
  return { 'webhook-id': id, 'webhook-timestamp': String(seconds), 'webhook-signature': `v1,${mac}` };
}

function keyIn(secret: string, file: string): Buffer {
  const encoded = /^(?:whsec_)?([A-Za-z0-9+/]+={0,2})$/.exec(secret)?.[1] ?? '';
  const key = Buffer.from(encoded, 'base64');
  if (key.length >= 24 && key.length <= 64) return key;
  throw FleetError.of(
    'SETTINGS',
    `${file} holds no key of Standard Webhooks: whsec_ and the base64 of 24 to 64 bytes`,
    `make one: (umask 077; echo whsec_$(openssl rand -base64 32) > ${file})`,
  );
}
