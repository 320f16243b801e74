import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { shown } from '../refusal.ts';
import { forgeAccounts, notifySinks, silentAfter } from './serve-notify-settings.ts';
import { webhooks } from './serve-webhooks-settings.ts';
import { isLoopback, listenAddress, notThis, path, urlPrefix } from './setting-values.ts';

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
const HEADER = /^[A-Za-z][A-Za-z0-9-]{0,99}$/;

const members = {
  /** Only this machine by default: the page shows what the fleet runs. */
  listen: listenAddress(0).prefault('127.0.0.1:9181'),
  /** A unix socket in addition, for a proxy on this machine. */
  socket: path().optional(),
  /** Where people reach the page. Links in statuses and notifications lead there. */
  url: pageUrl().optional(),
  /** Names, besides those of `url` and loopback, under which browsers and programs ask. */
  hosts: z
    .array(z.string().regex(HOST_NAME, notThis('must be a host name such as deploy.example.com')))
    .max(20)
    .prefault([]),
  /** The token that a client must present. Required beyond loopback. */
  tokenFile: path().optional(),
  /** Who is told what happens. */
  notify: notifySinks(),
  /** Forges that show how deployments of their repositories go. */
  forges: forgeAccounts(),
  /** After what time an agent that is offline is told as silent. */
  silentAfter: silentAfter(),
  /** What forges may ring for. */
  webhooks: webhooks(),
  /** Pages of commits on forges whose addresses the page does not know. */
  links: z.array(link()).max(20).prefault([]),
  /** The header in which a proxy names the user that it has authenticated; believed on the unix socket alone. */
  userHeader: z.string().regex(HEADER, notThis('must be the name of a header such as X-Forwarded-User')).optional(),
};

/** `serve:`, what `gitfleet serve` is told. The agent and publishers do not read it. */
export const serveSection = once(() =>
  z
    .strictObject(members)
    .refine(
      ({ listen, tokenFile }) => tokenFile !== undefined || isLoopback(listen.host),
      'listen is reachable from other machines, so tokenFile is required',
    )
    .refine(
      ({ userHeader, socket }) => userHeader === undefined || socket !== undefined,
      'userHeader needs socket: on a TCP port any client could name itself',
    )
    .prefault({}),
);
export type ServeSettings = z.infer<ReturnType<typeof serveSection>>;

function link() {
  const page = (word: string) =>
    z
      .string()
      .refine(
        (text) => /^https:\/\/[A-Za-z0-9]/.test(text) && text.includes(word),
        notThis(`must be an https address with ${word}`),
      );
  return z.strictObject({
    /** The beginning of the urls of the repositories. */
    prefix: urlPrefix(),
    /** `{path}` stands for the rest of the url, `{commit}` for the commit. */
    commit: page('{commit}'),
    compare: page('{from}').optional(),
  });
}

/** An http or https URL without credentials, query and fragment; without a slash at the end. */
function pageUrl() {
  return z.string().transform((text, context) => {
    const url = URL.canParse(text) ? new URL(text) : null;
    const plain = url !== null && /^https?:$/.test(url.protocol) && `${url.username}${url.search}${url.hash}` === '';
    if (url !== null && plain) return url.href.replace(/\/$/, '');
    context.addIssue({ code: 'custom', message: `${shown(text)} is no URL such as https://deploy.example.com` });
    return z.NEVER;
  });
}
