import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterEach, describe, expect, it } from 'vitest';
import { cleanEnvironment, MAIN } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

const servers = realServers(1);
let fleet: TestFleet;
const running: { end(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of running.splice(0)) await each.end();
  await fleet.stop();
});

const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';
const COLOUR = /\u001b\[[0-9;]*m/;

/** A gitfleet command as a person sees it: in a terminal of 80 times 12. */
function inTerminal(args: readonly string[], environment: Record<string, string> = {}) {
  const script = join(import.meta.dirname, '../../support/in-terminal.py');
  const command = [process.execPath, MAIN, ...args, '-z', fleet.zookeeper, '--app', fleet.app];
  const child = spawn('python3', [script, '12', '80', ...command], {
    cwd: '/',
    env: cleanEnvironment({ TERM: 'xterm', ...environment }),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const ended = new Promise<number>((resolve) => child.on('close', (code) => resolve(code ?? -1)));
  const shown = {
    get said() {
      return said;
    },
    ended,
    kill: (signal: NodeJS.Signals) => void child.kill(signal),
    shows: (words: RegExp) =>
      until(
        `shows ${words}`,
        async () => words.test(said) || (child.exitCode === null ? null : Promise.reject(new Error(said))),
      ),
    async end() {
      child.kill('SIGKILL');
      await ended;
    },
  };
  running.push(shown);
  return shown;
}

async function published(...agents: string[]) {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  await Promise.all(agents.map((id) => fleet.startAgent(id)));
  await fleet.online(agents.length);
  return { origin, commitId: await origin.commit('a', { f: 'a' }) };
}
const target = (url: string, commitId: string) => [commitId, '--url', url, '--relative-path', 'shop'];

/** What the cursor was told last. */
const cursor = (said: string) => (said.lastIndexOf(SHOW) > said.lastIndexOf(HIDE) ? 'shown' : 'hidden');

/** The different times that `d-1: 0/0 online agents at ..., 3.1 s` was drawn with. */
const spentIn = (said: string) =>
  new Set(
    [...stripVTControlCharacters(said).matchAll(/d-1: 0\/0 online agents at \w+, ([\d.]+) s/g)].map(([, time]) => time),
  );

describe('on a terminal', () => {
  it('publish draws a live table, ends with the verdict, and gives the cursor back', async () => {
    const { origin, commitId } = await published('web-1', 'web-2');
    const shown = inTerminal(['publish', ...target(origin.url, commitId)]);
    expect(await shown.ended).toBe(0);
    expect(shown.said).toContain(HIDE);
    expect(cursor(shown.said)).toBe('shown');
    expect(shown.said).toMatch(COLOUR);
    expect(stripVTControlCharacters(shown.said)).toMatch(/AGENT +STATE +SHOWS/);
    expect(shown.said).toMatch(/d-1 [0-9a-f]{10}: 2\/2 online agents at /);
  });

  it('NO_COLOR, FORCE_COLOR and TERM=dumb are obeyed', async () => {
    const { origin, commitId } = await published();
    await fleet.publish({ url: origin.url, commitId }, '--detach');
    for (const [environment, live, coloured] of [
      [{}, true, true],
      [{ NO_COLOR: '1' }, true, false],
      [{ FORCE_COLOR: '0' }, true, false],
      [{ TERM: 'dumb' }, false, false],
      [{ TERM: 'dumb', FORCE_COLOR: '1' }, false, true],
    ] as [Record<string, string>, boolean, boolean][]) {
      const shown = inTerminal(['attach', '--timeout', '1s'], environment);
      expect(await shown.ended).toBe(4);
      expect({ environment, live: shown.said.includes(HIDE) }).toEqual({ environment, live });
      const colours = live ? COLOUR.test(shown.said) : COLOUR.test((await statusIn(environment)).said);
      expect({ environment, coloured: colours }).toEqual({ environment, coloured });
    }
  });

  it('Ctrl-C detaches with 130, says how to come back, and gives the cursor back', async () => {
    const { origin, commitId } = await published();
    const shown = inTerminal(['publish', ...target(origin.url, commitId)]);
    await shown.shows(/waiting for an agent to come online/);
    shown.kill('SIGINT');
    expect(await shown.ended).toBe(130);
    expect(cursor(shown.said)).toBe('shown');
    expect(shown.said).toContain('next: gitfleet attach d-1');
    const again = inTerminal(['attach', 'd-1', '--timeout', '1s']);
    expect(await again.ended).toBe(4);
    expect(again.said).toContain('no agent is online');
  });

  it('status --watch redraws within the window, and a signal gives the cursor back', async () => {
    const { origin, commitId } = await published('web-1');
    const shown = inTerminal(['status', '--watch']);
    await shown.shows(/nothing published yet/);
    await fleet.publish({ url: origin.url, commitId });
    await shown.shows(/1\/1 online agents/);
    // Each frame goes back over the one before, and never scrolls.
    const frames = shown.said.split('\u001b[?2026h').slice(1);
    expect(frames.length).toBeGreaterThan(1);
    for (const frame of frames) expect(frame.split('\n').length - 1).toBeLessThanOrEqual(11);
    shown.kill('SIGTERM');
    expect(await shown.ended).toBe(128 + 15);
    expect(cursor(shown.said)).toBe('shown');
  });

  it('status --watch says when ZooKeeper is gone, keeps the last picture, and goes on after it', async () => {
    await published('web-1');
    const shown = inTerminal(['status', '--watch']);
    await shown.shows(/waiting for a target/);
    servers.first.kill('SIGSTOP');
    try {
      await shown.shows(/STALE: ZooKeeper has not answered for \d/);
    } finally {
      servers.first.kill('SIGCONT');
    }
    const before = shown.said.length;
    await until('a fresh frame', async () =>
      /nothing published yet/.test(shown.said.slice(before).split('STALE').at(-1) ?? ''),
    );
    shown.kill('SIGINT');
    expect(await shown.ended).toBe(130);
  });

  it('publish says the same while ZooKeeper has frozen, its clock goes on, and it ends as ever after it', async () => {
    const { origin, commitId } = await published();
    const shown = inTerminal(['publish', ...target(origin.url, commitId), '--timeout', '30s']);
    await shown.shows(/waiting for an agent to come online/);
    servers.first.kill('SIGSTOP');
    try {
      await shown.shows(/STALE: ZooKeeper has not answered for \d[^(]* \(no answer\)/);
      expect(stripVTControlCharacters(shown.said)).toContain('the data below is the last known state');
      // Each second that is shown is another frame.
      await until('a clock that goes on', async () => spentIn(shown.said.split('STALE').slice(1).join()).size >= 3);
    } finally {
      servers.first.kill('SIGCONT');
    }
    await until('a fresh frame', async () => !shown.said.split('\u001b[?2026h').at(-1)?.includes('STALE'));
    expect(await shown.ended).toBe(4);
    expect(cursor(shown.said)).toBe('shown');
  });

  it('the time of a deployment runs out also while ZooKeeper has frozen', async () => {
    const { origin, commitId } = await published();
    const shown = inTerminal(['publish', ...target(origin.url, commitId), '--timeout', '6s']);
    await shown.shows(/waiting for an agent to come online/);
    servers.first.kill('SIGSTOP');
    try {
      await shown.shows(/STALE/);
      expect(await shown.ended).toBe(4);
      expect(shown.said).toContain('next: gitfleet attach d-1');
      expect(cursor(shown.said)).toBe('shown');
    } finally {
      servers.first.kill('SIGCONT');
    }
  });

  it('elsewhere one line says that ZooKeeper does not answer, and one that it does again', async () => {
    const { origin, commitId } = await published();
    const shown = inTerminal(['publish', ...target(origin.url, commitId), '--timeout', '30s'], { TERM: 'dumb' });
    await shown.shows(/d-1: /);
    servers.first.kill('SIGSTOP');
    try {
      await shown.shows(/STALE: ZooKeeper does not answer/);
      await shown.shows(/waiting for an agent to come online/);
    } finally {
      servers.first.kill('SIGCONT');
    }
    await shown.shows(/ZooKeeper answers again/);
    expect(await shown.ended).toBe(4);
    expect(shown.said.match(/does not answer/g)).toHaveLength(1);
    expect(shown.said.match(/answers again/g)).toHaveLength(1);
  });

  it('status --watch says that ZooKeeper refuses to be read, where it does', async () => {
    await published('web-1');
    const shown = inTerminal(['status', '--watch']);
    await shown.shows(/nothing published yet/);
    await fleet.session.setAcl(fleet.znodes.config, [{ scheme: 'digest', id: 'a:b', permissions: 'r' }], 0);
    await shown.shows(/STALE: ZooKeeper refuses to be read, for \d[^(]* \(get \/app\//);
    expect(shown.said).not.toContain('has not answered');
    shown.kill('SIGINT');
    expect(await shown.ended).toBe(130);
  });

  it('Ctrl-C ends a wait also while ZooKeeper has frozen', async () => {
    const { origin, commitId } = await published();
    const shown = inTerminal(['publish', ...target(origin.url, commitId)]);
    await shown.shows(/waiting for an agent to come online/);
    servers.first.kill('SIGSTOP');
    try {
      shown.kill('SIGINT');
      expect(await shown.ended).toBe(130);
      expect(cursor(shown.said)).toBe('shown');
    } finally {
      servers.first.kill('SIGCONT');
    }
  });
});

/** What is not drawn in place is coloured the same. */
async function statusIn(environment: Record<string, string>) {
  await fleet.run('hold', '-m', 'so that something is coloured');
  const shown = inTerminal(['status'], environment);
  expect(await shown.ended).toBe(0);
  return shown;
}
