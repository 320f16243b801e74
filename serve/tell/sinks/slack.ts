import { FleetError } from '../../../runtime/errors.ts';
import { accepted, isSafe, type Outgoing, type Send } from '../../forges/request.ts';
import { readSecretLine } from '../../forges/secret.ts';
import type { ToldEvent } from '../event.ts';
import type { Sink } from '../sink.ts';
import { linesOf, titleOf } from '../text.ts';

interface SlackParts {
  readonly name: string;
  /** With the address of the incoming webhook, which is a secret. */
  readonly urlFile: string;
  readonly page: string | null;
  readonly send: Send;
  readonly takes: Sink['takes'];
}

/** A channel of Slack, or of what takes its incoming webhooks (Mattermost, Rocket.Chat). Slack drops no doubles. */
export function createSlack({ name, urlFile, page, send, takes }: SlackParts): Sink {
  return {
    name,
    takes,
    async send({ event }, signal) {
      const outgoing: Outgoing = {
        method: 'POST',
        url: addressIn(await readSecretLine(urlFile), urlFile),
        headers: { 'Content-Type': 'application/json; charset=utf-8' },
        body: JSON.stringify({ text: slackText(event, page) }),
      };
      accepted(outgoing, await send(outgoing, signal));
    },
  };
}

/** Slack reads `<...>` as a link or a call to everybody, so what other programs wrote is escaped. */
export function slackText(event: ToldEvent, page: string | null): string {
  const title = `*${escaped(titleOf(event))}*`;
  const link = page === null ? [] : [`<${escaped(page)}|Open the page>`];
  return [title, ...linesOf(event).map(escaped), ...link].join('\n');
}

/** Mattermost and Rocket.Chat alert a whole channel on a bare `@channel`; a full-width sign looks alike and does not. */
const escaped = (text: string): string =>
  text
    .replace(/&/g, '&amp;')
    .replace(/</g, '&lt;')
    .replace(/>/g, '&gt;')
    .replace(/@(?=(?:all|channel|everyone|here)(?![a-z0-9]))/gi, '\uff20');

function addressIn(text: string, file: string): URL {
  const url = URL.canParse(text) ? new URL(text) : null;
  if (url !== null && isSafe(url)) return url;
  throw FleetError.of('SETTINGS', `${file} holds no https address`, 'copy the address of the incoming webhook into it');
}
