import { readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { CommitId } from '../../../schemas/values.ts';
import { pageFiles } from '../../../serve/page/files.ts';
import '../../support/lanes/starts-processes.ts';
import { openReader, type Reader, type ReaderOptions, startBrowser } from '../../support/browser.ts';
import { AT, columnsOf, deltaOf, failedRow, fleetOf, rolloutOf, rowOf, snapshotOf } from './fixture.ts';
import { type FixtureServer, startFixtureServer } from './fixture-server.ts';

/** The page in a real browser, on a server that sends what a test says. */

const HOSTILE = '<img src=x onerror=alert(1)>';
const BIDI = 'web\u202etxt.exe\u202c\u0000';
const LONG = 'n'.repeat(500);
/** Also what is left of a desk at 400 %. */
const PHONE = { width: 320, height: 740 };

const rows = fleetOf(40);
const members = rows.filter(({ part }) => part === 'now').map(({ agentId }) => agentId);
const failed = failedRow('web-2', { labels: { zone: 'eu-1' }, part: 'now' });
const busy = snapshotOf([...rows.filter(({ agentId }) => agentId !== 'web-2'), failed], {
  rollout: rolloutOf({
    wave: 2,
    canary: ['search-1'],
    members: ['web-2', ...members],
    ahead: [10, 4],
    state: 'halted',
    reason: '1 agent failed: web-2',
    failures: [{ agentId: 'web-2', code: 'ACTIVATE_FAILED', reason: 'no such table' }],
    steered: [{ verb: 'pause', by: 'ben', reason: 'lunch', at: AT - 60_000 }],
  }),
  hold: { by: 'ben', reason: 'inventory', at: AT - 60_000, end: AT + 3_600_000 },
  quarantine: [{ commitId: 'a'.repeat(40) as CommitId, by: 'ann', reason: 'customers complain', at: AT - 600_000 }],
});

const VIEWS = ['servers', 'servers/web-2', 'rollout', 'history', 'services', 'brakes', 'doctor'];

describe('the page', () => {
  let browser: Browser;
  let server: FixtureServer;
  const readers: Reader[] = [];
  const read = async (hash = '', options: ReaderOptions = {}) => {
    const reader = await openReader(browser, `${server.url}${hash}`, options);
    readers.push(reader);
    return reader;
  };
  afterEach(async () => {
    server.speak(true);
    server.require(null);
    await Promise.all(readers.splice(0).map((reader) => reader.close()));
  });

  beforeAll(async () => {
    [browser, server] = await Promise.all([startBrowser(), startFixtureServer(busy)]);
    server.outputOf('web-2', 'migrating\nshop: no such table: prices\n');
  });
  afterAll(async () => {
    await Promise.all([browser?.close(), server?.close()]);
  });

  it('has at most 40 kB of compressed JavaScript, and the licences of what is in it', () => {
    const script = pageFiles(new URL('../../../dist/page/', import.meta.url)).get('/page.js');
    const size = gzipSync(script?.body ?? '').length;
    console.log(`page.js: ${size} bytes compressed`);
    expect(size).toBeGreaterThan(5_000);
    expect(size).toBeLessThanOrEqual(40 * 1_024);
    const licences = readFileSync(`${import.meta.dirname}/../../../dist/page/LICENSES`, 'utf8');
    expect(licences).toMatch(/preact[\s\S]*MIT[\s\S]*htm[\s\S]*Apache/);
  });

  it('breaks no rule of accessibility in any view, light, dark and in forced colours, on desk and phone', async () => {
    server.show(busy);
    const found: string[] = [];
    const looks: readonly ReaderOptions[] = [
      { colorScheme: 'light' },
      { colorScheme: 'dark' },
      PHONE,
      { forcedColors: 'active' },
    ];
    for (const look of looks) {
      const reader = await read('', look);
      for (const view of VIEWS) {
        await reader.ask(`location.hash = '#/${view}'`);
        await reader.see(`document.querySelector('main h1') && location.hash === '#/${view}'`);
        if (view === 'servers/web-2') await reader.see(`document.querySelector('pre')`);
        // Colours differ between the themes; width and forced colours change nothing that a rule reads but on the wall.
        const isJudged = look.colorScheme !== undefined || view === 'servers';
        const broken = isJudged ? await reader.violations() : [];
        found.push(...broken.map((each) => `${view} ${JSON.stringify(look)}: ${each}`));
        const wide = await reader.ask<number>(
          'document.documentElement.scrollWidth - document.documentElement.clientWidth',
        );
        if (wide > 0) found.push(`${view} ${JSON.stringify(look)}: ${wide} pixels wider than the screen`);
      }
    }
    expect(found).toEqual([]);
    expect(await Promise.all(readers.map((reader) => reader.complaints()))).toEqual(looks.map(() => []));
  });

  it('shows hostile names as text, on a screen that keeps its width', async () => {
    const names = [HOSTILE, BIDI, LONG, '__proto__', '"><script>alert(2)</script>'];
    server.show(
      snapshotOf(
        names.map((name) =>
          failedRow(name, {
            labels: { [HOSTILE]: BIDI },
            host: LONG,
            error: { code: HOSTILE, reason: LONG, hint: HOSTILE, next: 'stall' },
          }),
        ),
        {
          app: HOSTILE,
          hold: { by: HOSTILE, reason: LONG, at: AT, end: null },
          services: [{ service: LONG, instances: 0, least: 1, out: 0 }],
          flags: [{ name: HOSTILE, state: 'ENABLED', defaultVariant: LONG, variants: [HOSTILE], targeting: true }],
          findings: [{ check: HOSTILE, verdict: 'fail', says: LONG, hint: HOSTILE }],
          rollout: rolloutOf({
            members: names,
            reason: LONG,
            state: 'halted',
            failures: [{ agentId: LONG, code: HOSTILE, reason: BIDI }],
          }),
        },
      ),
    );
    server.outputOf(HOSTILE, `${HOSTILE}\u001b[31m\u202e`);
    const reader = await read('', PHONE);
    for (const view of [
      ...VIEWS.filter((each) => each !== 'servers/web-2'),
      ...names.map((name) => `servers/${encodeURIComponent(name)}`),
    ]) {
      await reader.ask(`location.hash = '#/${view}'`);
      await reader.see(`document.querySelector('main h1')`);
      expect(await reader.ask(`document.querySelectorAll('#page img, #page script, #page [onerror]').length`)).toBe(0);
      expect(await reader.ask(`document.body.innerText.includes('\\u202e')`)).toBe(false);
      expect(
        await reader.ask('document.documentElement.scrollWidth - document.documentElement.clientWidth'),
        view,
      ).toBeLessThanOrEqual(0);
    }
    await reader.ask(`location.hash = '#/servers/${encodeURIComponent(HOSTILE)}'`);
    await reader.see(
      `document.querySelector('pre')?.textContent === ${JSON.stringify(`${HOSTILE}\\u001b[31m\\u202e`)}`,
    );
    expect(await reader.ask(`document.querySelector('h1').textContent`)).toContain(HOSTILE);
    expect(await reader.complaints()).toEqual([]);
  });

  it('asks its own origin alone, and has the token in a header, never in an address', async () => {
    server.show(busy);
    server.require('s3cret');
    const before = server.requests.length;
    const reader = await read();
    await reader.see(`document.querySelector('input[type=password]')`);
    expect(await reader.violations()).toEqual([]);
    await reader.page.keyboard.press('Tab');
    await reader.page.keyboard.press('Tab');
    await reader.page.keyboard.type('wrong');
    await reader.page.keyboard.press('Enter');
    await reader.see(`document.body.innerText.includes('The token was refused')`);
    await reader.page.locator('input[type=password]').fill('s3cret');
    await reader.page.keyboard.press('Enter');
    await reader.see(`document.querySelector('a.tile')`);
    await reader.page.reload();
    await reader.see(`document.querySelector('a.tile')`);
    await reader.ask(`location.hash = '#/servers/web-2'`);
    await reader.see(`document.querySelector('pre')`);
    expect(reader.requests.filter((url) => !url.startsWith(server.url) && !url.startsWith('data:'))).toEqual([]);
    expect(reader.requests.filter((url) => url.includes('s3cret'))).toEqual([]);
    const asked = server.requests.slice(before).filter(({ url }) => url.startsWith('/api/'));
    expect(asked.filter(({ authorization }) => authorization === 'Bearer s3cret').length).toBeGreaterThanOrEqual(3);
    expect(await reader.complaints()).toEqual([]);
  });

  it('is used whole by keyboard: skip link, views, one stop on the wall, arrows, a server, a copied command', async () => {
    server.show(busy);
    const reader = await read();
    await reader.see(`document.querySelector('a.tile')`);
    const { keyboard } = reader.page;
    const focused = () => reader.ask<string>('document.activeElement.textContent.trim().replace(/\\s+/g, " ")');
    await keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await keyboard.press('Enter');
    expect(await reader.ask('document.activeElement.id')).toBe('main');
    const stops: string[] = [];
    for (let i = 0; i < 20 && !(await reader.ask(`document.activeElement.matches('a.tile')`)); i++) {
      await keyboard.press('Tab');
      stops.push(await reader.ask('document.activeElement.tagName'));
    }
    expect(stops.slice(-3)).toEqual(['INPUT', 'SELECT', 'A']);
    const first = await reader.ask<string>('document.activeElement.dataset.agent');
    expect(first).toBe(await reader.ask(`document.querySelector('a.tile').dataset.agent`));
    expect(await reader.ask(`getComputedStyle(document.activeElement).outlineStyle`)).toBe('solid');
    await keyboard.press('ArrowRight');
    await keyboard.press('ArrowDown');
    const below = await reader.ask<string>('document.activeElement.dataset.agent');
    expect(below).not.toBe(first);
    await keyboard.press('Home');
    expect(await reader.ask('document.activeElement.dataset.agent')).toBe(first);
    await keyboard.press('Tab');
    expect(await reader.ask(`document.activeElement.matches('a.tile')`)).toBe(false);
    await keyboard.press('Shift+Tab');
    await keyboard.press('Enter');
    await reader.see(`location.hash === '#/servers/${first}' && document.activeElement.tagName === 'H1'`);
    for (let i = 0; i < 20 && (await focused()) !== 'Copy'; i++) await keyboard.press('Tab');
    await keyboard.press('Enter');
    await reader.see(`/copied: gitfleet|select the text/.test(document.querySelector('[role=status]').textContent)`);
    for (const view of ['Rollout', 'History', 'Services', 'Brakes', 'Doctor']) {
      await reader.ask(`document.querySelector('.skip').focus()`);
      for (let i = 0; i < 20 && !(await focused()).startsWith(view); i++) await keyboard.press('Tab');
      await keyboard.press('Enter');
      await reader.see(
        `document.querySelector('nav [aria-current]').textContent.trim().startsWith('${view}') && document.activeElement.tagName === 'H1'`,
      );
    }
  });

  it('says within two seconds that it hears nothing, keeps what it knew, and is live again with the next word', async () => {
    server.show(busy);
    const reader = await read();
    await reader.see(`document.querySelector('.age').textContent.includes('Live')`);
    server.speak(false);
    const silentAt = performance.now();
    await reader.see(`document.querySelector('[role=alert] .stale')`);
    const staleMs = performance.now() - silentAt;
    console.log(`silence of the server: stale after ${Math.round(staleMs)} ms`);
    expect(staleMs).toBeLessThan(4_000); // Within two seconds where nothing else runs; a connection is given up after five.
    expect(await reader.ask(`document.querySelectorAll('a.tile').length`)).toBe(40);
    expect(await reader.ask('document.title')).toMatch(/^stale/);
    expect(await reader.violations()).toEqual([]);
    server.speak(true);
    await reader.see(
      `!document.querySelector('.stale') && document.querySelector('.age').textContent.includes('Live')`,
    );
    server.drop();
    await reader.see(`document.querySelector('.stale')`);
    await reader.see(`!document.querySelector('.stale')`);
  });

  it('shows what changes, in words for those who hear it', async () => {
    server.show(snapshotOf([rowOf('web-1'), rowOf('web-2'), rowOf('web-3')]));
    const reader = await read();
    await reader.see(`document.querySelector('h1')?.textContent === 'All 3 online servers show 3f2a9c1b3f'`);
    server.send('delta', deltaOf(0, { agents: columnsOf([failedRow('web-3')]), changed: { reached: 2 } }));
    await reader.see(`document.querySelector('h1').textContent === '2 of 3 online servers show 3f2a9c1b3f'`);
    await reader.see(`document.querySelector('[role=status]').textContent === 'web-3 failed: ACTIVATE_FAILED'`);
    expect(await reader.ask(`document.querySelector('a.tile').dataset.agent`)).toBe('web-3');
    expect(await reader.ask('document.title')).toBe('1 failed · /app/shop · gitfleet');
  });

  it('draws a thousand servers at once, and ten thousand in groups', async () => {
    server.show(snapshotOf(fleetOf(1_000)));
    const reader = await read();
    const painted = await reader.ask<number>(`new Promise((resolve) => {
      const look = () => document.querySelectorAll('a.tile').length === 1000 ? requestAnimationFrame(() => resolve(performance.now())) : requestAnimationFrame(look);
      look();
    })`);
    console.log(`1,000 servers: painted ${Math.round(painted)} ms after the start of the navigation`);
    expect(await reader.complaints()).toEqual([]);
    server.show(snapshotOf(fleetOf(10_000)));
    const large = await read();
    await large.see(`document.querySelectorAll('details.group').length > 2`);
    expect(await large.ask(`document.querySelectorAll('a.tile').length`)).toBeLessThanOrEqual(200);
    await large.page.locator('details.group summary').last().click();
    await large.see(`document.body.innerText.includes('use Find to see them')`);
    expect(await large.violations()).toEqual([]);
  });

  it('holds no more after thousands of changes than after hundreds', async () => {
    const fleet = fleetOf(200);
    server.show(snapshotOf(fleet));
    const reader = await read();
    await reader.see(`document.querySelectorAll('a.tile').length === 200`);
    let sent = 0;
    const change = async (times: number) => {
      for (let i = 0; i < times; i++) {
        const row = fleet[sent % 200] as (typeof fleet)[number];
        const next =
          sent % 2 === 0 ? failedRow(row.agentId, { attempts: sent }) : rowOf(row.agentId, { attempts: sent });
        server.send('delta', deltaOf(0, { agents: columnsOf([next]), changed: { reached: sent } }));
        if (++sent % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
      }
      await reader.see(`document.querySelector('h1').textContent.startsWith('${(sent - 1).toLocaleString('en')} of ')`);
    };
    await change(500);
    const early = await reader.heap();
    await change(4_000);
    // What the last changes made may still be on its way to the screen; what is held stays.
    let late = 0;
    await expect
      .poll(
        async () => {
          late = await reader.heap();
          return late - early;
        },
        { timeout: 20_000 },
      )
      .toBeLessThan(1_024 * 1_024);
    console.log(`heap after 500 changes ${Math.round(early / 1_024)} kB, after 4,500 ${Math.round(late / 1_024)} kB`);
  });
});
