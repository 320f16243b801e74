import { isIP } from 'node:net';
import { resolve } from 'node:path';
import * as z from 'zod';
import { formatDuration, parseDuration } from '../duration.ts';
import type { Refused } from '../refusal.ts';
import { shown } from '../refusal.ts';
import { AUDIENCE } from '../signed/signed-target.ts';
import { parsePrefix } from '../url.ts';
import { branchRules } from './branch-rules.ts';

/** The kinds of values that settings consist of. The error of each says what it must be, with an example. */

/**
 * The wrong value follows the requirement: it may come from a flag, a variable or a file, one of which may be
 * forgotten.
 */
export const notThis = (wants: string) => ({
  error: ({ input }: { readonly input?: unknown }) => `${wants}; not ${shown(String(input))}`,
});

/** Ms, written as `10s`. `fallback` is a duration too, so that docs and error messages show it as people write it. */
export function duration(fallback: string, bounds: { least?: string; most?: string } = {}) {
  const least = parseDuration(bounds.least ?? '0s') as number;
  const most = parseDuration(bounds.most ?? '24d') as number;
  return z
    .string({ error: 'must be a duration such as 10s or 5m' })
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== null && ms >= least && ms <= most) return ms;
      const wants = `a duration such as 10s or 5m, from ${formatDuration(least)} to ${formatDuration(most)}`;
      context.addIssue({ code: 'custom', message: `${shown(text)} is not ${wants}` });
      return z.NEVER;
    })
    .prefault(fallback);
}

/** An absolute path. Relative ones from flags and variables are made absolute before this. */
export function path() {
  return z
    .string({ error: 'must be a path' })
    .refine((text) => text.startsWith('/') && !/[\u0000-\u001f]/.test(text), 'must be an absolute path')
    .transform((text) => resolve(text));
}

/** `host:2181,host:2181/chroot`. zookeeper/ finds out what each host means. */
export function connectString() {
  const HOST = /^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_][A-Za-z0-9_.-]{0,252})(?::([1-9]\d{0,4}))?$/;
  const CHROOT = /^(?:\/[A-Za-z0-9_][A-Za-z0-9._-]{0,99})*\/?$/;
  const legal = (text: string) => {
    const slash = text.indexOf('/');
    const hosts = (slash < 0 ? text : text.slice(0, slash)).split(',').map((host) => host.trim());
    if (slash >= 0 && !CHROOT.test(text.slice(slash).trim())) return false;
    return hosts.length <= 64 && hosts.every((host) => Number(HOST.exec(host)?.[1] ?? 1) <= 65_535 && HOST.test(host));
  };
  const wants = 'must be hosts such as zk1:2181,zk2:2181,zk3:2181, a /path may follow';
  return z
    .string({ error: (issue) => (issue.input === undefined ? `is missing; it ${wants}` : wants) })
    .refine(legal, notThis(wants));
}

/**
 * Where a program answers HTTP: a port, which means loopback, or an address with one. A name other than localhost is
 * refused: what it means may change.
 * @param leastPort 0: any free port may be asked for, which the log then names.
 */
export function listenAddress(leastPort: 0 | 1) {
  const ADDRESS = /^(?:(localhost|\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:.]{2,45}\]):)?(\d{1,5})$/;
  return z
    .union([z.string(), z.int()], { error: 'must be a port, or an address with one such as 127.0.0.1:9180' })
    .transform((given, context) => {
      const [, named = 'localhost', digits] = ADDRESS.exec(String(given)) ?? [];
      const host = named === 'localhost' ? '127.0.0.1' : named.replace(/^\[|\]$/g, '');
      const port = Number(digits);
      if (digits !== undefined && port >= leastPort && port <= 65_535 && isIP(host) !== 0) return { host, port };
      context.addIssue({ code: 'custom', message: `${shown(String(given))} is no port and no address with one` });
      return z.NEVER;
    });
}

/** Whether only this machine can reach it. */
export const isLoopback = (host: string): boolean => host === '::1' || /^127\./.test(host);

/** The full name of a systemd service: not a pattern, an option, a path or the agent itself. */
export function serviceUnit() {
  const UNIT = /^(?=.{9,255}$)[A-Za-z0-9_][A-Za-z0-9:_.-]*(?:@(?:[A-Za-z0-9:_.-]|\\x[0-9a-f]{2})+)?\.service$/;
  return z
    .string({ error: 'must be a unit such as shop.service' })
    .regex(UNIT, 'must be the full name of a unit such as shop.service')
    .refine((unit) => unit !== 'gitfleet-agent.service', 'would restart the agent itself in the middle of its work');
}

/** A repository prefix in its one spelling. */
export function urlPrefix() {
  return z.string({ error: 'must be a prefix such as https://git.example.com/shop' }).transform((text, context) => {
    const parsed = parsePrefix(text);
    if (parsed.ok) return parsed.prefix;
    context.addIssue({ code: 'custom', message: (parsed as Refused).failure.reason.replace(/^url: /, '') });
    return z.NEVER;
  });
}

/** Names an installation, such as `shop-production`. */
export const audience = () =>
  z.string().regex(AUDIENCE, notThis('must be a plain name such as shop-production: letters, digits and . _ -'));

/** `agent.verify`. */
export const verifyRules = () =>
  z
    .strictObject({
      target: z.enum(['off', 'required']).prefault('off'),
      audience: audience().optional(),
      /** In the format of `allowed_signers` of OpenSSH. */
      signersFile: path().optional(),
      /** Keys that no longer count, whatever `signersFile` says. */
      revokedFile: path().optional(),
      /** On which branches a commit must be. Empty: whatever the repository gives. */
      reachableFrom: branchRules(),
      /** Whether the commit itself, or a tag of it, must be signed. */
      commit: z.enum(['off', 'required']).prefault('off'),
    })
    .refine(
      ({ target, audience: whom, signersFile }) =>
        target === 'off' || (whom !== undefined && signersFile !== undefined),
      'target: required needs audience and signersFile',
    )
    .refine(
      ({ commit, signersFile }) => commit === 'off' || signersFile !== undefined,
      'commit: required needs signersFile',
    )
    .prefault({});

/** Names and values that `-l role=web,zone!=b` can express. */
export function labels() {
  const word = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,61}[A-Za-z0-9])?)$/;
  const plain = ([key, value]: [string, string]) => word.test(key) && (value === '' || word.test(value));
  return z
    .record(z.string(), z.string({ error: 'must be text; quote numbers and true or false' }))
    .refine(
      (all) => Object.entries(all).every(plain),
      'must be labels such as role=web: letters, digits and . _ - / inside',
    )
    .prefault({});
}

const PROXY = /^(https?|socks5h?):\/\/[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?:[1-9][0-9]{0,4}$/;

const CREDENTIAL_MEMBERS = {
  ssh: ['sshKeyFile', 'knownHosts'],
  https: ['tokenFile', 'caFile', 'proxy'],
  http: ['tokenFile', 'proxy'],
} as Readonly<Record<string, readonly string[]>>;

/** What one prefix grants: only what its protocol uses, so that no unused key seems to be in use. */
export function credential() {
  return z
    .strictObject({
      prefix: urlPrefix(),
      sshKeyFile: path().optional(),
      knownHosts: path().optional(),
      tokenFile: path().optional(),
      caFile: path().optional(),
      proxy: z
        .string()
        .regex(PROXY, 'must be such as http://proxy.example.com:3128, with a port and without a password')
        .optional(),
    })
    .superRefine(({ prefix, ...files }, context) => {
      const scheme = prefix.slice(0, prefix.indexOf(':'));
      const read = CREDENTIAL_MEMBERS[scheme] ?? [];
      const given = Object.entries(files).flatMap(([name, file]) => (file === undefined ? [] : [name]));
      const idle = given.filter((name) => !read.includes(name));
      if (idle.length > 0)
        context.addIssue({ code: 'custom', message: `${idle.join(', ')} mean nothing to ${scheme}` });
      if (given.length === 0) context.addIssue({ code: 'custom', message: 'grants nothing: name a file, or a proxy' });
    });
}
