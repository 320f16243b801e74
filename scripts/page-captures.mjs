// Makes the pictures of docs/pictures/: the page of `gitfleet serve` in Debian's Chromium, on the fleets of the page's
// own tests, so that they show the same servers each time. With --all DIRECTORY: every view in both themes and both
// widths, to look at. Needs Debian's chromium and the font Inter.
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from 'playwright-core';
import { build } from 'rolldown';
import { setUp } from './setup.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const MOST_BYTES = 600_000;
const [DESK, PHONE] = [
  { width: 1_280, height: 800 },
  { width: 360, height: 740 },
];

/** Few, and each shows something that the others do not. */
const PICTURES = [
  { name: 'servers', fleet: 'rollout', view: 'servers', size: DESK, theme: 'light' },
  { name: 'servers-dark', fleet: 'thousand', view: 'servers', size: DESK, theme: 'dark' },
  { name: 'rollout', fleet: 'rollout', view: 'rollout', size: DESK, theme: 'light' },
  { name: 'server', fleet: 'rollout', view: 'servers/web-2', size: DESK, theme: 'dark' },
  { name: 'phone', fleet: 'three', view: 'servers', size: PHONE, theme: 'light' },
];
const FLEETS = ['rollout', 'three', 'thousand', 'ten-thousand', 'empty'];
const VIEWS = ['servers', 'servers/web-2', 'rollout', 'history', 'services', 'brakes', 'doctor'];

/** Every view of the fleets, in both themes and widths. */
const everything = () =>
  FLEETS.flatMap((fleet) =>
    (fleet === 'rollout' ? VIEWS : ['servers']).flatMap((view) =>
      [DESK, PHONE].flatMap((size) =>
        ['light', 'dark'].map((theme) => ({
          name: `${fleet}-${view.replace('/', '-')}-${size.width}-${theme}`,
          ...{ fleet, view, size, theme },
        })),
      ),
    ),
  );

/** The server and the fleets of the tests, as a module that Node runs. */
async function fixtures() {
  const aside = mkdtempSync(join(root, 'node_modules', '.captures-'));
  const file = join(aside, 'fixtures.mjs');
  const input = join(root, 'test/serve/page/captured-fleets.ts');
  await build({ cwd: root, input, platform: 'node', output: { format: 'esm', file, codeSplitting: false } });
  const loaded = await import(pathToFileURL(file).href);
  rmSync(aside, { recursive: true });
  return loaded;
}

async function take(browser, url, { name, view, size, theme }, directory) {
  const context = await browser.newContext({ viewport: size, colorScheme: theme });
  const page = await context.newPage();
  await page.goto(`${url}#/${view}`);
  await page.locator('main h1').waitFor();
  if (view.includes('/')) await page.locator('pre').waitFor();
  const file = join(directory, `${name}.png`);
  await page.screenshot({ path: file });
  await context.close();
  return statSync(file).size;
}

const all = process.argv[2] === '--all';
const directory = all ? process.argv[3] : join(root, 'docs/pictures');
setUp({ allowed: true, debian: ['chromium', 'inter'] });
const { capturedFleet, startFixtureServer } = await fixtures();
const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu'] });
const server = await startFixtureServer(capturedFleet('three'), join(root, 'dist/page/'));
try {
  mkdirSync(directory, { recursive: true });
  server.outputOf('web-2', 'migrating the database\nshop: no such table: prices\n');
  let bytes = 0;
  for (const picture of all ? everything() : PICTURES) {
    server.show(capturedFleet(picture.fleet));
    bytes += await take(browser, server.url, picture, directory);
  }
  console.log(`${directory}: ${bytes} bytes`);
  if (!all && bytes > MOST_BYTES) throw new Error(`the pictures have ${bytes} bytes, more than ${MOST_BYTES}`);
} finally {
  await browser.close();
  await server.close();
}
