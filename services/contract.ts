import { isIP } from 'node:net';
import * as z from 'zod';
import { once } from '../runtime/once.ts';
import { isHost } from '../schemas/settings/service-settings.ts';
import { fromJson, toJson } from '../schemas/text/lenient-json.ts';

/**
 * The znodes of services. `/service/<business>/<what>` is a contract with any client: its children are registrations,
 * ephemeral, each with the value `["host","port"]`, two strings. Everything else that gitfleet knows is below
 * `/service-fleet/<business>/<what>`, which only gitfleet reads. Values are read leniently, because any program may
 * have written them; one that cannot be read is left out. They end up in configuration files, so a host has only plain
 * characters.
 */

export interface ServiceZnodes {
  /** The list: one child per registration. */
  readonly list: string;
  /** The floor, and the node by whose version all leaves are serialised. */
  readonly fleet: string;
  readonly instances: string;
  readonly consumers: string;
  registration(name: string): string;
  twin(name: string): string;
  consumer(id: string): string;
}

export function serviceZnodes(service: string): ServiceZnodes {
  const [list, fleet] = [`/service/${service}`, `/service-fleet/${service}`];
  return {
    list,
    fleet,
    instances: `${fleet}/instances`,
    consumers: `${fleet}/consumers`,
    registration: (name) => `${list}/${name}`,
    twin: (name) => `${fleet}/instances/${name}`,
    consumer: (id) => `${fleet}/consumers/${id}`,
  };
}

export interface ServiceAddress {
  readonly host: string;
  readonly port: number;
}

const MAX_REGISTRATION_BYTES = 1_000;

/** Null: not two members, the first a host and the second a port. */
export function parseRegistration(data: Buffer): ServiceAddress | null {
  if (data.length > MAX_REGISTRATION_BYTES) return null;
  const read = fromJson(registration(), data);
  if (read === null) return null;
  const [host, port] = [read[0], Number(read[1])];
  return isHost(host) && port >= 1 && port <= 65_535 ? { host, port } : null;
}

/** Other programs write the port as a number, or more members after these two. */
const registration = once(() =>
  z.tuple([z.string(), z.union([z.string().regex(/^[0-9]{1,5}$/), z.int()])]).rest(z.unknown()),
);

/** Exactly two strings, as other programs expect them. */
export const encodeRegistration = ({ host, port }: ServiceAddress): Buffer =>
  Buffer.from(JSON.stringify([host, String(port)]));

/** The text that identifies an address: equal text, same instance. */
export const addressText = ({ host, port }: ServiceAddress): string =>
  isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;

/** What only gitfleet's readers know about a registration. It stays while the instance leaves. */
const twin = once(() =>
  z.object({
    agentId: z.string().max(100),
    machineId: z.string().max(200).default(''),
    host: z.string().max(253),
    port: z.int().min(1).max(65_535),
    commit: z.string().max(64).nullable().default(null),
    deployment: z.int().nullable().default(null),
    labels: z.record(z.string(), z.string()).default({}),
    /**
     * `in`: registered. `out`: its owner removed the registration, for a deployment, by a command, or because it was
     * unwell.
     */
    state: z.enum(['in', 'out']).catch('in'),
    /** The result of its checks, if it stays registered although it is unwell. */
    unwell: z.string().max(1_000).nullable().default(null),
  }),
);
export type Twin = z.infer<ReturnType<typeof twin>>;
export const parseTwin = (data: Buffer): Twin | null => fromJson(twin(), data);
/** The same for a value that is already parsed as JSON. */
export const readTwin = (value: unknown): Twin | null => twin().safeParse(value).data ?? null;
export const encodeTwin = (value: Twin): Buffer => toJson(twin(), value);

/** The data of `/service-fleet/<business>/<what>`. */
const serviceRule = once(() => z.object({ minAvailable: minAvailable().default('50%') }));
export type ServiceRule = z.infer<ReturnType<typeof serviceRule>>;
/** Content that cannot be read counts as the default: a service without a floor would be the worse mistake. */
export const parseServiceRule = (data: Buffer): ServiceRule => fromJson(serviceRule(), data) ?? { minAvailable: '50%' };
export const encodeServiceRule = (value: ServiceRule): Buffer => toJson(serviceRule(), value);

export const minAvailable = once(() =>
  z.union([z.int().min(1).max(10_000), z.string().regex(/^(?:100|[1-9]?\d)%$/)], {
    error: 'must be a whole number from 1, or a share from 0% to 100%',
  }),
);

/** A user of a list, and the state of the list that it has applied: the list's pzxid, in hexadecimal. */
const consumer = once(() =>
  z.object({
    applied: z.string().regex(/^[0-9a-f]{1,16}$/),
    /** For people: which program, where. */
    what: z.string().max(300).default(''),
  }),
);
export type Consumer = z.infer<ReturnType<typeof consumer>>;
export const parseConsumer = (data: Buffer): Consumer | null => fromJson(consumer(), data);
export const encodeConsumer = (value: Consumer): Buffer => toJson(consumer(), value);
