import { isIP } from 'node:net';
import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { duration, path } from './setting-values.ts';

/** `<business>/<what>`, such as shop/web. */
export const SERVICE_NAME = /^[A-Za-z0-9_][A-Za-z0-9._-]{0,99}\/[A-Za-z0-9_][A-Za-z0-9._-]{0,99}$/;

const HOST_NAME = /^(?=.{1,253}$)[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62})(?:\.[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,62}))*\.?$/;

/** A host name, or an address without brackets. */
export const isHost = (text: string): boolean => isIP(text) !== 0 || HOST_NAME.test(text);

const port = () => z.int({ error: 'must be a port' }).min(1).max(65_535);

const command = () =>
  z.array(z.string().min(1), { error: 'must be a list of program and arguments' }).min(1, 'must name a program');

/** A service that an agent registers: `agent.services`. */
const served = once(() =>
  z.strictObject({
    /** `<business>/<what>`. */
    name: z.string().regex(SERVICE_NAME, 'must be a service such as shop/web'),
    port: port(),
    /** Absent: the only address of this machine that others can reach. */
    host: z.string().refine(isHost, 'must be a host name or an address').optional(),
    /** The registrar's credential of this service. Absent: none, which is enough if it was made open. */
    authFile: path().optional(),
    check: z
      .strictObject({
        http: z
          .string()
          .refine((text) => /^https?:\/\/[^\s@]+$/.test(text) && URL.canParse(text), 'must be http://host:port/path')
          .optional(),
        /** If http is absent too: the host and port that are registered. */
        tcp: z
          .string()
          .regex(/^(?:\[[0-9a-fA-F:.]+\]|[A-Za-z0-9_.-]{1,253}):[1-9]\d{0,4}$/, 'must be host:port')
          .optional(),
        interval: duration('1s', { least: '100ms', most: '10m' }),
        timeout: duration('1s', { least: '50ms', most: '1m' }),
      })
      .refine(({ http, tcp }) => http === undefined || tcp === undefined, 'must have one of http and tcp')
      .prefault({}),
    drain: z
      .strictObject({
        /** For readers that do not acknowledge. */
        atLeast: duration('1s', { most: '1h' }),
        /** After this time the drain ends, even if consumers have not acknowledged. */
        atMost: duration('30s', { least: '100ms', most: '1h' }),
        /** Runs once the registration is gone, and must end when no request is in flight. */
        command: command().optional(),
      })
      .refine(({ atLeast, atMost }) => atLeast <= atMost, 'must have an atLeast up to atMost')
      .prefault({}),
  }),
);

export type ServedSettings = z.infer<ReturnType<typeof served>>;

export const services = once(() =>
  z
    .array(served())
    .max(50)
    .refine(
      (all) => new Set(all.map(({ name, host = '', port }) => `${name} ${host} ${port}`)).size === all.length,
      'names one service and port twice',
    )
    .prefault([]),
);

/** The format of a list: services/write/formats.ts. */
export const FORMATS = ['json', 'haproxy', 'nginx', 'envoy', 'prometheus'] as const;
export type Format = (typeof FORMATS)[number];

/** A file that the agent keeps at the list of a service: `agent.serviceFiles`. */
const serviceFile = once(() =>
  z.strictObject({
    service: z.string().regex(SERVICE_NAME, 'must be a service such as shop/web'),
    format: z.enum(FORMATS),
    out: path(),
    /** Checks the new file, whose name is in GITFLEET_FILE. */
    check: command().optional(),
    /** Makes a program read the file. Without it nothing is acknowledged. */
    reload: command().optional(),
    /** The pid file of the program that reads it: its workers from before the reload are waited for. */
    pidFile: path().optional(),
  }),
);

export const serviceFiles = once(() =>
  z
    .array(serviceFile())
    .max(50)
    .refine((all) => new Set(all.map(({ out }) => out)).size === all.length, 'names one file twice')
    .prefault([]),
);
