import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import openapiTS from 'openapi-typescript';
import { describe, expect, it, onTestFinished } from 'vitest';
import * as z from 'zod';
import { parseSettingsFile } from '../../../schemas/settings/settings-file.ts';
import { jsonSchemas } from '../../../serve/api/json-schemas.ts';
import { API_PATHS, openApi } from '../../../serve/api/openapi.ts';
import { answerTo } from '../../../serve/http/routes.ts';
import { fold } from '../../../serve/picture/fold.ts';
import type { Picture } from '../../../serve/picture/picture.ts';
import { MIXED, NOW } from '../../publisher/fixtures.ts';
import { temporaryDirectory } from '../../support/git/origin.ts';
import { LONG_HISTORY, seenOf } from '../picture/seen-of.ts';

const ROOT = join(import.meta.dirname, '../../..');
const FRESH = { now: NOW, asOf: NOW, clock: 'ensemble', zookeeper: { state: 'connected', stale: null } } as const;
const seen = seenOf(MIXED, { deployments: LONG_HISTORY });
const picture: Picture = {
  current: () => ({ sequence: 1, state: fold(seen, NOW), difference: null }),
  seen: () => seen,
  freshness: () => FRESH,
  listen: () => () => {},
};
const parts = {
  picture,
  head: { app: '/app/shop', version: '0.1.0', links: [] },
  page: new Map(),
  metrics: { contentType: 'text/plain', text: async () => '' },
  documents: new Map(),
};

/** As a client of another language checks an answer. */
const schemaNamed = (name: string) => {
  const { components } = openApi() as { components: { schemas: Record<string, object> } };
  const text = JSON.stringify({ ...components.schemas[name], $defs: components.schemas });
  return z.fromJSONSchema(JSON.parse(text.replaceAll('#/components/schemas/', '#/$defs/')));
};

describe('the OpenAPI document', () => {
  it.each(Object.entries(API_PATHS))('%s is a route, and its answer is what the document says', async (path, row) => {
    const answer = await answerTo(`/api/v1${path.replace('{agentId}', 'web-8')}`, '', parts);
    if (row.type !== undefined) return expect(answer.kind).toBe('stream');
    expect(answer).toMatchObject({ kind: 'json', status: 200 });
    const { value } = answer as { value: unknown };
    const plain = JSON.parse(JSON.stringify(value));
    expect(schemaNamed(row.answer).safeParse(plain).error?.issues ?? []).toEqual([]);
    expect(schemaNamed(row.answer).safeParse({ ...plain, now: 'soon' }).success).toBe(false);
  });

  it('has every route: what it does not name is not there', async () => {
    const named = Object.keys(API_PATHS).map((path) => path.split('/')[1]);
    const source = readFileSync(join(ROOT, 'serve/http/routes.ts'), 'utf8');
    const routes = /const NAMES = \[(.+)\]/.exec(source)?.[1]?.replaceAll("'", '').split(', ') ?? [];
    expect([...routes, 'events'].toSorted()).toEqual(named.toSorted());
    for (const path of ['status/x', 'agents', 'agents/', 'agents/nobody', 'agents/a/b', 'secret'])
      expect(await answerTo(`/api/v1/${path}`, '', parts), path).toMatchObject({ status: 404 });
    for (const limit of ['0', '201', '-1', 'x', '1e2', ''])
      expect(await answerTo('/api/v1/history', `limit=${limit}`, parts), limit).toMatchObject({ status: 400 });
    expect(await answerTo('/api/v1/history', 'limit=3', parts)).toMatchObject({
      value: { deployments: { length: 3 } },
    });
  });

  it('makes a client that compiles, and refuses a program that reads what is not there', async () => {
    const place = temporaryDirectory('openapi');
    onTestFinished(place.remove);
    writeFileSync(
      join(place.path, 'api.d.ts'),
      await openapiTS(openApi() as unknown as Parameters<typeof openapiTS>[0]),
    );
    const program = (member: string) => `
      import type { components, paths } from './api.js';
      type Status = paths['/status']['get']['responses']['200']['content']['application/json'];
      export async function failing(base: string): Promise<string[]> {
        const status = (await (await fetch(base + '/status')).json()) as Status;
        return status.agents.filter((agent) => agent.standing === 'failed').map((agent) => agent.${member});
      }
      export const isHalted = (snapshot: components['schemas']['Snapshot']): boolean => snapshot.rollout?.state === 'halted';
    `;
    const compile = (member: string) => {
      writeFileSync(join(place.path, 'program.ts'), program(member));
      const flags = ['--noEmit', '--strict', '--module', 'nodenext', '--target', 'es2022', '--lib', 'es2022,dom'];
      const tsc = [join(ROOT, 'node_modules/typescript/bin/tsc'), ...flags, 'program.ts'];
      try {
        return execFileSync(process.execPath, tsc, { cwd: place.path, encoding: 'utf8' });
      } catch (error) {
        return (error as { stdout: string }).stdout;
      }
    };
    expect(compile('agentId')).toBe('');
    expect(compile('agentName')).toContain("'agentName' does not exist");
  });
});

describe('the JSON Schemas for editors', () => {
  const isLegal = (name: 'settings' | 'policy' | 'target', value: unknown) =>
    z.fromJSONSchema(jsonSchemas()[name] as Parameters<typeof z.fromJSONSchema>[0]).safeParse(value).success;

  it.each(readdirSync(join(ROOT, 'examples/settings')).filter((name) => name.endsWith('.yml')))(
    'take the settings of examples/settings/%s, and refuse a misspelt one',
    (name) => {
      const file = parseSettingsFile(readFileSync(join(ROOT, 'examples/settings', name), 'utf8'), name) as object;
      expect(isLegal('settings', file)).toBe(true);
      expect(isLegal('settings', { ...file, agnet: {} })).toBe(false);
      expect(isLegal('settings', { ...file, agent: { keepRelease: 3 } })).toBe(false);
    },
  );

  it('take policies and targets as docs show them, and refuse others', () => {
    expect(isLegal('policy', { canary: 1, maxParallel: '25%', onFailure: 'rollback' })).toBe(true);
    expect(isLegal('policy', { maxParalel: 2 })).toBe(false);
    const target = { url: 'https://git.example.com/a.git', commitId: 'd'.repeat(40), relativePath: 'a' };
    expect(isLegal('target', target)).toBe(true);
    for (const wrong of [{ commitId: 'main' }, { extra: 1 }, { relativePath: null }])
      expect(isLegal('target', { ...target, ...wrong }), JSON.stringify(wrong)).toBe(false);
  });
});
