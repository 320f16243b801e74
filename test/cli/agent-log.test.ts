import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { cleanEnvironment, MAIN } from '../support/commands.ts';

const scratch = mkdtempSync(join(tmpdir(), 'gitfleet-agent-log-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** The first line that `gitfleet agent run` logs; no ZooKeeper is there. */
async function firstLine(inTerminal: boolean, ...more: string[]): Promise<string> {
  const where = ['--root', join(scratch, 'root'), '--state', join(scratch, 'state'), '-z', '127.0.0.1:1'];
  const command = [process.execPath, MAIN, 'agent', 'run', ...where, ...more];
  const script = join(import.meta.dirname, '../support/in-terminal.py');
  const [program = '', ...args] = inTerminal ? ['python3', script, '12', '80', ...command] : command;
  const child = spawn(program, args, { env: cleanEnvironment(), stdio: ['ignore', 'pipe', 'ignore'] });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  let said = '';
  for await (const chunk of child.stdout.setEncoding('utf8')) {
    said += chunk;
    if (said.includes('no url is allowed')) break;
  }
  child.kill('SIGTERM');
  await ended;
  return said.split(/\r?\n/).find((line) => line.includes('no url is allowed')) ?? said;
}

describe('the log of agent run', () => {
  const TEXT = /^\d\d:\d\d:\d\d WARN {2}no url is allowed/;
  it('is text on a terminal, and JSON where that is asked for', async () => {
    expect(await firstLine(true)).toMatch(TEXT);
    expect(JSON.parse(await firstLine(true, '--log-format', 'json'))).toMatchObject({ level: 'warn' });
  });

  it('is JSON elsewhere, and text where that is asked for', async () => {
    expect(JSON.parse(await firstLine(false))).toMatchObject({ level: 'warn' });
    expect(await firstLine(false, '--log-format', 'text')).toMatch(TEXT);
  });
});
