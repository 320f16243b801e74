import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { type Browser, type CDPSession, chromium, type Page } from 'playwright-core';

/** Debian's Chromium, without a window. Scripts of a test run beside the page's own policy, which stays in force. */

export const startBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: '/usr/bin/chromium',
    // As root there is no sandbox, and the tests open nothing but pages of this machine.
    args: ['--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage'],
  });

export interface Reader {
  readonly page: Page;
  /** The value of an expression; a promise is awaited. */
  ask<T>(expression: string): Promise<T>;
  /** Until the expression is true. While a part that it names is not there, it is not. */
  see(expression: string): Promise<void>;
  /** Addresses that the page asked for. */
  readonly requests: readonly string[];
  /** What the page's policy refused, and what went wrong in its scripts. */
  complaints(): Promise<string[]>;
  /** The rules of accessibility that the page breaks, each with the first element. */
  violations(): Promise<string[]>;
  /** Bytes in use after what nobody needs was given back. */
  heap(): Promise<number>;
  close(): Promise<void>;
}

export interface ReaderOptions {
  readonly width?: number;
  readonly height?: number;
  readonly colorScheme?: 'light' | 'dark';
  readonly forcedColors?: 'active' | 'none';
  /** Kept as the page keeps it. */
  readonly token?: string;
}

/** Before anything of the page runs. */
const WATCH = `
  window.refusedByPolicy = [];
  document.addEventListener('securitypolicyviolation', (event) =>
    window.refusedByPolicy.push(event.violatedDirective + ' ' + event.blockedURI));`;

export async function openReader(browser: Browser, url: string, options: ReaderOptions = {}): Promise<Reader> {
  const { width = 1_280, height = 800, colorScheme = 'light', forcedColors = 'none', token } = options;
  const context = await browser.newContext({ viewport: { width, height }, colorScheme, forcedColors });
  const page = await context.newPage();
  const [requests, errors]: [string[], string[]] = [[], []];
  page.on('request', (request) => requests.push(request.url()));
  page.on('pageerror', (error) => errors.push(`error: ${error.message}`));
  page.on('dialog', (dialog) => {
    errors.push(`dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  await context.addInitScript(WATCH);
  if (token !== undefined)
    await context.addInitScript(`sessionStorage.setItem('gitfleet-token', ${JSON.stringify(token)})`);
  await page.goto(url);
  const cdp = await context.newCDPSession(page);
  const ask = <T>(expression: string) => evaluate<T>(cdp, expression);
  return {
    page,
    ask,
    see: (expression) => seen(ask, expression),
    requests,
    complaints: async () => [...errors, ...(await ask<string[]>('window.refusedByPolicy'))],
    violations: () => violationsOf(cdp, ask),
    heap: async () => {
      await cdp.send('HeapProfiler.collectGarbage');
      return (await cdp.send('Runtime.getHeapUsage')).usedSize;
    },
    close: () => context.close(),
  };
}

async function evaluate<T>(cdp: CDPSession, expression: string): Promise<T> {
  const { result, exceptionDetails } = await cdp.send('Runtime.evaluate', {
    expression,
    awaitPromise: true,
    returnByValue: true,
  });
  if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
  return result.value as T;
}

const BOUND_MS = 30_000;

async function seen(ask: Reader['ask'], expression: string): Promise<void> {
  const end = performance.now() + BOUND_MS;
  while (performance.now() < end) {
    if (await ask<boolean>(`(() => { try { return Boolean(${expression}) } catch { return false } })()`)) return;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  throw new Error(
    `never true: ${expression}; the page says: ${await ask<string>('document.body.innerText.slice(0, 2000)')}`,
  );
}

let axe: string | null = null;

async function violationsOf(cdp: CDPSession, ask: Reader['ask']): Promise<string[]> {
  axe ??= readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
  await cdp.send('Runtime.evaluate', { expression: axe });
  return ask(`axe.run(document).then(({ violations }) =>
    violations.map(({ id, help, nodes }) => id + ': ' + help + ': ' + nodes.length + ' x ' + nodes[0].html.slice(0, 200) + ' ' + (nodes[0].failureSummary || '').slice(0, 300)))`);
}
