import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type EventDetails,
  type JsonValue,
  OpenFeature,
  type Client as OpenFeatureClient,
  ProviderEvents,
} from '@openfeature/server-sdk';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { createClient } from '../../library/create-client.ts';
import { createProvider, type ProviderOptions } from '../../library/openfeature.ts';
import { systemClock as clock, systemRandom as random } from '../../runtime/clock.ts';
import type { Session } from '../../zookeeper/session.ts';
import { silentLog as log } from '../support/log.ts';
import { fakeKit } from '../support/zookeeper/kit.ts';

/* What OpenFeature's specification asks of a provider (sections 2 and 5, and its conformance cases for providers), against its real SDK. */
const kit = fakeKit();
const wide = { timeout: 30_000 };
const backoff = { firstMs: 5, maxMs: 50 };
let count = 0;
let app: string;
let domain: string;
let writer: Session;

const enabled = (variants: Record<string, JsonValue>, defaultVariant: string, targeting?: JsonValue) => ({
  ...{ state: 'ENABLED', variants, defaultVariant },
  ...(targeting === undefined ? {} : { targeting }),
});
const FLAGS = {
  boolean: enabled({ on: true, off: false }, 'on'),
  string: enabled({ greeting: 'hi', parting: 'bye' }, 'greeting'),
  integer: enabled({ one: 1, ten: 10 }, 'ten'),
  float: enabled({ tenth: 0.1, half: 0.5 }, 'half'),
  object: enabled({ full: { shown: true, title: 'Pictures', most: 100 }, empty: {} }, 'full'),
  'boolean-zero': enabled({ zero: false, other: true }, 'zero'),
  'integer-zero': enabled({ zero: 0, other: 1 }, 'zero'),
  'string-zero': enabled({ zero: '', other: 'x' }, 'zero'),
  'largest-32': enabled({ one: 1, most: 2_147_483_647 }, 'most'),
  'largest-53': enabled({ one: 1, most: 9_007_199_254_740_991 }, 'most'),
  'of-everyone': enabled({ on: true, off: false }, 'off', { fractional: [['on', 1]] }),
  'of-rule': enabled({ hit: 'hit', miss: 'miss' }, 'miss', { if: [{ '==': [{ var: 'targetingKey' }, 'x'] }, 'hit'] }),
  disabled: { ...enabled({ on: true, off: false }, 'on'), state: 'DISABLED' },
  'without-default': { state: 'ENABLED', variants: { on: true } },
  broken: { state: 'PERHAPS', variants: {} },
};

beforeEach(async () => {
  domain = `domain-${++count}`;
  app = `/app/openfeature${count}`;
  writer = kit.open(kit.connect(), { backoff });
  await writer.ensure(`${app}/flags`);
});
afterEach(() => OpenFeature.clearProviders());

const write = (flags: object) => writer.set(`${app}/flags`, Buffer.from(JSON.stringify({ flags })), -1);

function provider(options: Partial<ProviderOptions> = {}, connect = kit.connect()) {
  const client = createClient(kit.open(connect, { backoff, sessionTimeoutMs: 2_000 }), [], { clock, random, log });
  return { provider: createProvider(client, { app, waitMs: 5_000, ...options }), client };
}

/** The SDK's client of a provider that is ready. */
async function ready(flags: object = FLAGS): Promise<OpenFeatureClient> {
  await write(flags);
  await OpenFeature.setProviderAndWait(domain, provider().provider);
  return OpenFeature.getClient(domain);
}

type Asked = [name: string, otherwise: JsonValue, key?: string];
async function details(client: OpenFeatureClient, ...[name, otherwise, key]: Asked) {
  const context = key === undefined ? {} : { targetingKey: key };
  if (typeof otherwise === 'boolean') return await client.getBooleanDetails(name, otherwise, context);
  if (typeof otherwise === 'string') return await client.getStringDetails(name, otherwise, context);
  if (typeof otherwise === 'number') return await client.getNumberDetails(name, otherwise, context);
  return await client.getObjectDetails(name, otherwise, context);
}

/** What a handler of the SDK was told, by event. */
function handled(client: OpenFeatureClient) {
  const told: { readonly event: ProviderEvents; readonly details: EventDetails | undefined }[] = [];
  for (const event of Object.values(ProviderEvents)) {
    client.addHandler(event, (given?: EventDetails) => void told.push({ event, details: given }));
  }
  return { told, times: (event: ProviderEvents) => told.filter((each) => each.event === event).length };
}

describe('a provider', () => {
  it('has a name, and says that it runs on a server', () => {
    const { metadata, runsOn } = provider().provider;
    expect({ metadata, runsOn }).toEqual({ metadata: { name: 'gitfleet' }, runsOn: 'server' });
  });

  it.each([
    ['boolean', false, true, 'on'],
    ['string', 'bye', 'hi', 'greeting'],
    ['integer', 1, 10, 'ten'],
    ['float', 0.1, 0.5, 'half'],
    ['object', {}, { shown: true, title: 'Pictures', most: 100 }, 'full'],
  ] as const)(
    'resolves a flag of type %s to value, variant and reason, with no error',
    async (name, otherwise, value, variant) => {
      const found = await details(await ready(), name, otherwise);
      expect(found).toMatchObject({ flagKey: name, value, variant, reason: 'STATIC' });
      expect([found.errorCode, found.errorMessage]).toEqual([undefined, undefined]);
    },
  );

  it.each([
    ['boolean-zero', true, false],
    ['integer-zero', 1, 0],
    ['string-zero', 'otherwise', ''],
  ] as const)('takes the empty value of %s for a value', async (name, otherwise, value) => {
    expect(await details(await ready(), name, otherwise)).toMatchObject({ value, variant: 'zero', reason: 'STATIC' });
  });

  it('loses no digit of large integers', async () => {
    const client = await ready();
    expect(await client.getNumberValue('largest-32', 1)).toBe(2 ** 31 - 1);
    expect(await client.getNumberValue('largest-53', 1)).toBe(2 ** 53 - 1);
  });

  it('resolves one that is disabled to the default of the program, and calls that no error', async () => {
    const found = await details(await ready(), 'disabled', false);
    expect(found).toMatchObject({ value: false, reason: 'DISABLED' });
    expect([found.errorCode, found.variant]).toEqual([undefined, undefined]);
  });

  it('resolves one without a default variant to the default of the program', async () => {
    expect(await details(await ready(), 'without-default', true)).toMatchObject({ value: true, reason: 'DEFAULT' });
  });

  it.each([
    ['string', false],
    ['string', 1],
    ['string', {}],
    ['boolean', 'x'],
    ['boolean', 1],
    ['boolean', {}],
    ['integer', false],
    ['integer', 'x'],
    ['float', {}],
    ['object', false],
    ['object', 'x'],
    ['object', 1],
  ] as const)('answers %s asked for as %j with that default and TYPE_MISMATCH', async (name, otherwise) => {
    const found = await details(await ready(), name, otherwise);
    expect(found).toMatchObject({ value: otherwise, reason: 'ERROR', errorCode: 'TYPE_MISMATCH' });
    expect(found.errorMessage).toContain(name);
  });

  it('answers a flag that is not there, or that cannot be read, with the default and its error', async () => {
    const client = await ready();
    const error = { value: 'otherwise', reason: 'ERROR' };
    expect(await details(client, 'nothing', 'otherwise')).toMatchObject({ ...error, errorCode: 'FLAG_NOT_FOUND' });
    expect(await details(client, 'broken', 'otherwise')).toMatchObject({ ...error, errorCode: 'PARSE_ERROR' });
  });

  it('resolves a share by the targeting key, of the call or of the client, and the default variant without one', async () => {
    const client = await ready();
    expect(await details(client, 'of-everyone', false, 'user-1')).toMatchObject({ value: true, reason: 'SPLIT' });
    expect(await details(client, 'of-everyone', true)).toMatchObject({ value: false, reason: 'DEFAULT' });
    client.setContext({ targetingKey: 'user-2' });
    expect(await client.getBooleanValue('of-everyone', false)).toBe(true);
  });

  it('is not disturbed by a context that no rule asks for', async () => {
    const client = await ready();
    const context = { targetingKey: 'user-1', plan: 'free', nested: { deep: [1, 2] }, at: new Date(0) };
    expect(await client.getStringDetails('string', 'bye', context)).toMatchObject({ value: 'hi', reason: 'STATIC' });
  });

  it('gives the default variant of a rule that this version does not know', async () => {
    expect(await details(await ready(), 'of-rule', 'x', 'x')).toMatchObject({ value: 'miss', reason: 'DEFAULT' });
  });

  it('says with each resolution what the flags are', async () => {
    expect((await details(await ready(), 'boolean', false)).flagMetadata).toEqual({ state: 'ready' });
  });
});

describe('the life of a provider', () => {
  it('becomes ready once ZooKeeper shows the flags, and tells so', async () => {
    const client = OpenFeature.getClient(domain);
    const { times } = handled(client);
    await ready();
    await expect.poll(() => times(ProviderEvents.Ready), wide).toBe(1);
    expect([client.providerStatus, times(ProviderEvents.Error), times(ProviderEvents.Stale)]).toEqual(['READY', 0, 0]);
  });

  it('tells a handler that comes later that it is ready', async () => {
    const client = await ready();
    const { times } = handled(client);
    await expect.poll(() => times(ProviderEvents.Ready), wide).toBe(1);
  });

  it('that cannot reach ZooKeeper and has no file fails soon, and gives the defaults', async () => {
    const line = await kit.openLine();
    await line.mode('refuse');
    const client = OpenFeature.getClient(domain);
    const { times } = handled(client);
    const setting = OpenFeature.setProviderAndWait(domain, provider({ waitMs: 50 }, line.connect).provider);
    await expect(setting).rejects.toThrow('does not answer');
    expect([client.providerStatus, times(ProviderEvents.Error)]).toEqual(['ERROR', 1]);
    const found = await client.getBooleanDetails('boolean', false);
    expect(found).toMatchObject({ value: false, reason: 'ERROR', errorCode: 'PROVIDER_NOT_READY' });
    await write(FLAGS);
    await line.mode('pass');
    await expect.poll(() => client.providerStatus, wide).toBe('READY');
    expect(await client.getBooleanValue('boolean', false)).toBe(true);
  });

  it('of an app without flags fails, and is ready with the first one', async () => {
    const client = OpenFeature.getClient(domain);
    const setting = OpenFeature.setProviderAndWait(domain, provider({ waitMs: 50 }).provider);
    await expect(setting).rejects.toThrow(`${app} has no flags yet`);
    await write(FLAGS);
    await expect.poll(() => client.providerStatus, wide).toBe('READY');
  });

  it('of a client that was closed fails for good', async () => {
    const { provider: closed, client } = provider({ waitMs: 50 });
    await client.close();
    await expect(OpenFeature.setProviderAndWait(domain, closed)).rejects.toThrow('closed');
    expect(OpenFeature.getClient(domain).providerStatus).toBe('FATAL');
  });

  it('that finds ZooKeeper away starts stale with what the file says, and takes what ZooKeeper says once it answers', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'gitfleet-openfeature-'));
    onTestFinished(() => rm(directory, { recursive: true, force: true }));
    const file = join(directory, 'flags.json');
    await writeFile(file, JSON.stringify({ flags: { boolean: FLAGS.boolean, older: FLAGS.boolean } }));
    await write({ boolean: enabled({ on: true, off: false }, 'off') });
    const line = await kit.openLine();
    await line.mode('refuse');
    const client = OpenFeature.getClient(domain);
    const { told, times } = handled(client);
    await OpenFeature.setProviderAndWait(domain, provider({ waitMs: 20, file }, line.connect).provider);
    await expect.poll(() => client.providerStatus, wide).toBe('STALE');
    const found = await client.getBooleanDetails('boolean', false);
    expect(found).toMatchObject({ value: true, reason: 'STATIC', flagMetadata: { state: 'stale' } });
    await line.mode('pass');
    await expect.poll(() => client.providerStatus, wide).toBe('READY');
    expect(await client.getBooleanValue('boolean', true)).toBe(false);
    expect(await client.getBooleanDetails('older', false)).toMatchObject({ errorCode: 'FLAG_NOT_FOUND' });
    await expect.poll(() => times(ProviderEvents.ConfigurationChanged), wide).toBe(1);
    const changed = told.find(({ event }) => event === ProviderEvents.ConfigurationChanged)?.details;
    expect(changed).toMatchObject({ flagsChanged: ['boolean', 'older'] });
  });

  it('that loses ZooKeeper is stale, with its age, flips nothing, and is ready again when ZooKeeper answers', async () => {
    await write(FLAGS);
    const line = await kit.openLine();
    await OpenFeature.setProviderAndWait(domain, provider({}, line.connect).provider);
    const client = OpenFeature.getClient(domain);
    const { told, times } = handled(client);
    await line.mode('refuse');
    line.cut();
    await expect.poll(() => client.providerStatus, wide).toBe('STALE');
    await write({ ...FLAGS, boolean: enabled({ on: true, off: false }, 'off') });
    const found = await client.getBooleanDetails('boolean', false);
    expect(found).toMatchObject({ value: true, reason: 'STATIC', flagMetadata: { state: 'stale' } });
    expect(found.flagMetadata['ageMs']).toBeGreaterThanOrEqual(0);
    const stale = told.find(({ event }) => event === ProviderEvents.Stale)?.details;
    expect(stale).toMatchObject({ message: expect.stringContaining('the last ones stay') });
    expect(times(ProviderEvents.ConfigurationChanged)).toBe(0);
    await line.mode('pass');
    await expect.poll(() => client.providerStatus, wide).toBe('READY');
    await expect.poll(() => client.getBooleanValue('boolean', true), wide).toBe(false);
    expect([times(ProviderEvents.Stale), times(ProviderEvents.Error)]).toEqual([1, 0]);
  });

  it('tells which flags were changed, and resolves them so from then on', async () => {
    const client = await ready();
    const { told, times } = handled(client);
    await write({ ...FLAGS, string: enabled({ greeting: 'hi', parting: 'bye' }, 'parting') });
    await expect.poll(() => times(ProviderEvents.ConfigurationChanged), wide).toBe(1);
    const changed = told.find(({ event }) => event === ProviderEvents.ConfigurationChanged)?.details;
    expect(changed).toMatchObject({ flagsChanged: ['string'] });
    expect(await client.getStringValue('string', 'x')).toBe('bye');
  });

  it('that is shut down follows nothing any more, leaves the client open, and can be set again', async () => {
    await write(FLAGS);
    const { provider: same, client } = provider();
    await OpenFeature.setProviderAndWait(domain, same);
    const openFeature = OpenFeature.getClient(domain);
    await same.onClose?.();
    expect(await same.resolveBooleanEvaluation('boolean', false, {}, console)).toMatchObject({
      value: false,
      errorCode: 'PROVIDER_NOT_READY',
    });
    expect(client.state).toBe('connected');
    await OpenFeature.clearProviders();
    await OpenFeature.setProviderAndWait(domain, same);
    expect([openFeature.providerStatus, await openFeature.getBooleanValue('boolean', false)]).toEqual(['READY', true]);
  });
});
