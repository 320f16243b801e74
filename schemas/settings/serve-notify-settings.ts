import * as z from 'zod';
import { duration, notThis, path, urlPrefix } from './setting-values.ts';

const SINK_NAME = /^(?!forge$)[a-z0-9][a-z0-9-]{0,49}$/;
const KINDS = ['github', 'gitlab', 'gitea', 'bitbucket'] as const;
export const TOLD = [
  ...(['begun', 'proven', 'failed', 'rolled-back', 'aborted', 'superseded', 'timed-out', 'halted'] as const),
  ...(['hold-set', 'hold-lifted', 'agents-silent'] as const),
] as const;
/** The forges whose kind is known by their host. */
const KNOWN = /^(?:https|ssh):\/\/(?:[^/@]*@)?(?:github\.com|gitlab\.com|codeberg\.org|bitbucket\.org)(?:[:/]|$)/;

/** An https address, or http on loopback: the receiver checks a signature, but the content is not for everybody. */
const receiver = () =>
  z
    .string()
    .refine(
      (text) => URL.canParse(text) && /^(?:https:\/\/|http:\/\/(?:127\.|localhost[:/]|\[::1\]))[^@]*$/.test(text),
      notThis('must be an https address without credentials'),
    );

/** What each kind needs, and what it may have besides. */
const MEMBERS = {
  webhook: { needs: ['url', 'secretFile'], may: ['environment'] },
  slack: { needs: ['urlFile'], may: [] },
  command: { needs: ['command'], may: ['timeout'] },
} as const;

const sink = () =>
  z
    .strictObject({
      /** Names `serve/told/<name>`. A new name begins with what happens next. */
      name: z.string().regex(SINK_NAME, notThis('must be a plain name such as ops: a-z, 0-9 and -, and not forge')),
      kind: z.enum(['webhook', 'slack', 'command']),
      /** Absent: everything. */
      only: z.array(z.enum(TOLD)).min(1).max(TOLD.length).optional(),
      url: receiver().optional(),
      secretFile: path().optional(),
      /** What receivers call this fleet; absent: production. */
      environment: z.string().min(1).max(100).optional(),
      urlFile: path().optional(),
      command: z.array(z.string().min(1).max(1_000)).min(1).max(50).optional(),
      /** Absent: 30 s. */
      timeout: duration('30s', { least: '1s', most: '5m' }).unwrap().optional(),
    })
    .superRefine(({ name: _, only: __, kind, ...members }, context) => {
      const { needs, may }: { needs: readonly string[]; may: readonly string[] } = MEMBERS[kind];
      const given = Object.entries(members).flatMap(([name, value]) => (value === undefined ? [] : [name]));
      const missing = needs.filter((name) => !given.includes(name));
      const idle = given.filter((name) => !needs.includes(name) && !may.includes(name));
      if (missing.length > 0) context.addIssue({ code: 'custom', message: `needs ${missing.join(' and ')}` });
      if (idle.length > 0) context.addIssue({ code: 'custom', message: `${idle.join(', ')} mean nothing to ${kind}` });
    });
export type NotifySink = z.infer<ReturnType<typeof sink>>;

/** `serve.notify`: where people and programs are told what happens. Secrets are in files. */
export const notifySinks = () =>
  z
    .array(sink())
    .max(20)
    .refine((all) => new Set(all.map(({ name }) => name)).size === all.length, 'names one sink twice')
    .prefault([]);

const account = () =>
  z
    .strictObject({
      /** The beginning of the urls of its repositories. */
      prefix: urlPrefix(),
      kind: z.enum(KINDS).optional(),
      /** Where its REST API is, if that is not the usual place on the host of `prefix`. */
      api: receiver().optional(),
      tokenFile: path(),
      /** The environment that the forge shows; absent: production. */
      environment: z.string().min(1).max(100).optional(),
    })
    .refine(
      ({ prefix, kind }) => kind !== undefined || KNOWN.test(prefix),
      `kind is missing: no forge is known at this prefix; one of ${KINDS.join(', ')}`,
    );

/** `serve.forges`: the forges whose repositories show how a deployment goes. */
export const forgeAccounts = () => z.array(account()).max(20).prefault([]);

/** `serve.silentAfter`. */
export const silentAfter = () =>
  z.union([z.literal('off'), duration('10m', { least: '1m', most: '24h' })]).prefault('10m');
