import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openReader, type Reader, startBrowser } from '../../support/browser.ts';
import { cleanEnvironment, MAIN } from '../../support/commands.ts';
import { type Origin, TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

/** The page of a real `gitfleet serve`, on a real fleet, in a real browser: one story, told in order. */

const servers = realServers(1);
const SETTINGS = {
  zookeeper: { sessionTimeout: '4s' },
  agent: {
    activate: { command: ['sh', '-c', 'test ! -e bad || { echo "shop: no such table: prices"; exit 7; }'] },
  },
};

const TOKEN = 's3cret-s3cret-s3cret-s3cret-s3cret';

interface Serving {
  readonly process: ChildProcess;
  readonly url: string;
  readonly log: () => string;
}

/** Ends with the test file. */
async function startServe(fleet: TestFleet, ...more: string[]): Promise<Serving> {
  const port = await freePort();
  const args = [MAIN, 'serve', '-z', fleet.zookeeper, '--app', fleet.app, '--listen', `127.0.0.1:${port}`, ...more];
  const child = spawn(process.execPath, args, { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'pipe'] });
  let log = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text;
    });
  }
  await until('gitfleet serve serves', async () => log.includes('serving the page'));
  return { process: child, url: `http://127.0.0.1:${port}/`, log: () => log };
}

async function freePort(): Promise<number> {
  const listener = createServer();
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve));
  const { port } = listener.address() as AddressInfo;
  await new Promise((resolve) => listener.close(resolve));
  return port;
}

describe('the page of a real fleet', () => {
  let browser: Browser;
  let fleet: TestFleet;
  let origin: Origin;
  let serving: Serving;
  let reader: Reader;
  let tokenFile: string;
  const publish = async (message: string, files: Record<string, string>) => {
    const commitId = await origin.commit(message, files);
    return { commitId, ended: fleet.publish({ url: origin.url, commitId }, '-m', message) };
  };

  const giveToken = async (token: string) => {
    await reader.page.locator('input[type=password]').fill(token);
    await reader.page.keyboard.press('Enter');
  };

  beforeAll(async () => {
    [browser, fleet] = await Promise.all([startBrowser(), TestFleet.create(servers.connect())]);
    const policy = join(fleet.directory, 'policy.yml');
    await writeFile(policy, 'canary: 1\nonFailure: pause\n');
    await fleet.run('policy', 'set', policy);
    tokenFile = join(fleet.directory, 'token');
    await writeFile(tokenFile, `${TOKEN}\n`, { mode: 0o600 });
    [origin] = await Promise.all([fleet.origin(), fleet.startAgents(3, { settings: SETTINGS })]);
    await fleet.online(3);
    serving = await startServe(fleet, '--token-file', tokenFile);
  });
  afterAll(async () => {
    await reader?.close();
    await browser?.close();
    serving?.process.kill('SIGKILL');
    await fleet?.stop();
  });

  it('asks for the token once, then says that nothing is published', async () => {
    reader = await openReader(browser, serving.url);
    await reader.see(`document.querySelector('input[type=password]')`);
    await giveToken(TOKEN);
    await reader.see(`document.querySelector('h1').textContent === 'Nothing is published yet'`);
    await reader.see(`document.querySelectorAll('a.tile').length === 3`);
  });

  it('shows a publish a moment after its transaction, and the fleet as it follows', async () => {
    const { commitId, ended } = await publish('Shop opens', { page: 'one' });
    const record = `${fleet.znodes.deployments}/d-1`;
    await until('the record', async () => (await fleet.session.exists(record)) !== null);
    const written = performance.now();
    await reader.see(`document.querySelector('.kicker')?.textContent.includes('Shop opens')`);
    const seenMs = performance.now() - written;
    console.log(`a publish is on the page ${Math.round(seenMs)} ms after its transaction`);
    expect(seenMs).toBeLessThan(3_000); // Within one second on a machine that has nothing else to do.
    expect(await ended).toMatchObject({ exitCode: 0 });
    await reader.see(
      `document.querySelector('h1').textContent === 'All 3 online servers show ${commitId.slice(0, 10)}'`,
    );
    await reader.ask(`location.hash = '#/history'`);
    await reader.see(`/d-1[^]*Shop opens[^]*proven, 3 of 3 servers/.test(document.querySelector('main').innerText)`);
  });

  it('shows a failed canary with its code, hint and last output, and what to type', async () => {
    await reader.ask(`location.hash = '#/servers'`);
    const { ended } = await publish('A mistake', { bad: '' });
    await reader.see(
      `document.querySelector('h1').textContent.startsWith('2 of 3 online') || document.querySelector('.tile.is-bad')`,
    );
    await reader.see(`/halted/.test(document.querySelector('.lead').innerText)`);
    await reader.see(
      `[...document.querySelectorAll('.command code')].some((code) => code.textContent === 'gitfleet rollback')`,
    );
    const failed = await reader.ask<string>(`document.querySelector('.tile.is-bad').dataset.agent`);
    await reader.page.locator('.tile.is-bad').first().click();
    await reader.see(`location.hash === '#/servers/${failed}' && document.querySelector('pre')`);
    const text = await reader.ask<string>(`document.querySelector('main').innerText`);
    expect(text).toMatch(/ACTIVATE_FAILED[\s\S]*Hint:[\s\S]*activate\.log[\s\S]*shop: no such table: prices/);
    expect(await reader.violations()).toEqual([]);
    await reader.ask(`location.hash = '#/rollout'`);
    await reader.see(`/canary[^]*1 failed/.test(document.querySelector('main').innerText)`);
    await ended;
  });

  it('asks for the token again once it is another one', async () => {
    await writeFile(tokenFile, `${TOKEN}-next\n`, { mode: 0o600 });
    await reader.see(`document.body.innerText.includes('The token was refused')`);
    await giveToken(`${TOKEN}-next`);
    await reader.see(
      `document.querySelector('main h1').textContent.startsWith('d-2') && !document.querySelector('.stale')`,
    );
  });

  it('is stale within two seconds of the end of ZooKeeper, and live again after its return', async () => {
    await servers.first.kill('SIGKILL');
    const killed = performance.now();
    await reader.see(`document.querySelector('.stale')`);
    const staleMs = performance.now() - killed;
    console.log(`ZooKeeper killed: stale after ${Math.round(staleMs)} ms`);
    expect(staleMs).toBeLessThan(2_000);
    expect(await reader.ask(`document.querySelector('.age').innerText`)).toMatch(/Stale/);
    expect(await reader.ask(`document.querySelector('main').innerText`)).toContain('canary');
    await servers.first.start();
    await reader.see(`!document.querySelector('.stale') && document.querySelector('.age').innerText.includes('Live')`);
  });

  it('says so when the server itself is gone, asked its own origin alone, and broke no rule of its policy', async () => {
    serving.process.kill('SIGKILL');
    await reader.see(`/gitfleet serve is not heard/.test(document.querySelector('.stale')?.innerText)`);
    expect(reader.requests.filter((url) => !url.startsWith(serving.url) && !url.startsWith('data:'))).toEqual([]);
    expect(reader.requests.filter((url) => url.includes('s3cret'))).toEqual([]);
    expect(serving.log()).not.toContain('s3cret');
    expect(await reader.complaints()).toEqual([]);
  });
});
