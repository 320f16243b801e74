import type * as z from 'zod';
import type { ForgeKind, ForgeRepository } from './repository.ts';
import { accepted, deliveryRefused, type HttpReply, type Outgoing, type Send } from './request.ts';
import { readSecretLine } from './secret.ts';

/** Requests to the API of one repository, with its token. */
export interface ForgeClient {
  /** @param path below the API, without a slash at the start. @throws FleetError as Forge says */
  call<T>(method: Outgoing['method'], path: string, shape: z.ZodType<T>, body?: object): Promise<T>;
  /** Without a shape: whatever it answers, if its status is 2xx or in `also`. */
  post(path: string, body: object, method?: 'POST' | 'PUT', also?: (reply: HttpReply) => boolean): Promise<void>;
  /** All pages of a list, `pageSize` entries each, until one is not full. */
  pages<Page, T>(paged: Paged<Page, T>): Promise<T[]>;
}

interface Paged<Page, T> {
  /** The path of page `n`, counted from 1. */
  readonly path: (n: number, pageSize: number) => string;
  readonly shape: z.ZodType<Page>;
  readonly entries: (page: Page) => readonly T[];
  readonly pageSize: number;
}

/** A commit with more than 2,000 checks is not read. */
const MAX_PAGES = 20;

const AUTHORIZATION: Readonly<Record<ForgeKind, (token: string) => Record<string, string>>> = {
  github: (token) => ({
    Authorization: `Bearer ${token}`,
    Accept: 'application/vnd.github+json',
    'X-GitHub-Api-Version': '2022-11-28',
  }),
  gitlab: (token) => ({ 'PRIVATE-TOKEN': token }),
  gitea: (token) => ({ Authorization: `token ${token}` }),
  bitbucket: (token) => ({ Authorization: `Bearer ${token}` }),
};

export function createForgeClient({ account, api }: ForgeRepository, send: Send, signal: AbortSignal): ForgeClient {
  async function outgoing(method: Outgoing['method'], path: string, body?: object): Promise<Outgoing> {
    const token = await readSecretLine(account.tokenFile);
    const headers = { Accept: 'application/json', ...AUTHORIZATION[account.kind](token) };
    const url = new URL(path, api);
    if (body === undefined) return { method, url, headers };
    return { method, url, headers: { ...headers, 'Content-Type': 'application/json' }, body: JSON.stringify(body) };
  }

  async function call<T>(method: Outgoing['method'], path: string, shape: z.ZodType<T>, body?: object): Promise<T> {
    const request = await outgoing(method, path, body);
    const parsed = shape.safeParse(jsonOf(accepted(request, await send(request, signal)).body));
    if (parsed.success) return parsed.data;
    throw deliveryRefused(
      request,
      `answered ${method} ${request.url.pathname} with something else than this kind of forge does`,
    );
  }

  return {
    call,
    async post(path, body, method = 'POST', also = () => false) {
      const request = await outgoing(method, path, body);
      const reply = await send(request, signal);
      if (!also(reply)) accepted(request, reply);
    },
    async pages({ path, shape, entries, pageSize }) {
      const all: ReturnType<typeof entries>[number][] = [];
      for (let n = 1; n <= MAX_PAGES; n += 1) {
        const found = entries(await call('GET', path(n, pageSize), shape));
        all.push(...found);
        if (found.length < pageSize) return all;
      }
      throw deliveryRefused({ url: api }, `lists more than ${MAX_PAGES * pageSize} entries`);
    },
  };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
