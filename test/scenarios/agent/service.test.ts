import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { agentHome, type Life, settledOn, startLife } from '../../support/agent/agent-process.ts';
import { listenForNotices, type NotifySocket } from '../../support/agent/notify-socket.ts';
import { TestFleet } from '../../support/fleet.ts';
import { until } from '../../support/until.ts';
import { realServers } from '../../support/zookeeper/server.ts';

/** An agent as a service manager starts it, with a real datagram socket where systemd would listen. */
const servers = realServers(1);
let fleet: TestFleet;
let manager: NotifySocket;
let lives: Life[] = [];
beforeEach(async () => {
  fleet = await TestFleet.create(servers.connect());
  manager = await listenForNotices();
});
afterEach(async () => {
  await Promise.all(lives.map((life) => life.kill('SIGKILL')));
  lives = [];
  manager.close();
  await fleet.stop();
});

function start(home: ReturnType<typeof agentHome>, watchdogMs = 600): Life {
  const life = startLife(home, { NOTIFY_SOCKET: manager.path, WATCHDOG_USEC: `${watchdogMs * 1_000}` });
  lives.push(life);
  return life;
}

const log = (home: { logFile: string }) => readFileSync(home.logFile, 'utf8');
const logs = (home: { logFile: string }, words: RegExp) =>
  until(`the log has ${words}`, async () => {
    if (!words.test(log(home))) throw new Error(log(home));
    return true;
  });

/** Rewrites the settings file of an agent. */
function change(home: ReturnType<typeof agentHome>, edit: (settings: { agent: Record<string, unknown> }) => void) {
  const file = home.args.at(-1) as string;
  const settings = JSON.parse(readFileSync(file, 'utf8'));
  edit(settings);
  writeFileSync(file, JSON.stringify(settings));
}

describe('an agent under a service manager', () => {
  it('says when it is ready, what it does, and that it lives, through an outage of ZooKeeper, until it stops', async () => {
    const home = agentHome(fleet, 'web-1');
    const life = start(home);
    await manager.hears('READY=1');
    await manager.hears(`STATUS=waiting for a first target in ${fleet.app}/config`);
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    expect((await fleet.publish({ url: origin.url, commitId })).exitCode).toBe(0);
    await manager.hears(`STATUS=serves ${commitId.slice(0, 10)}`);

    await servers.first.kill('SIGKILL');
    await logs(home, /suspended|connection|ECONN|lost/i);
    const from = manager.heard.length;
    for (const nth of [1, 2, 3]) await manager.hears('WATCHDOG=1', from + nth);
    await servers.first.restart();

    const stopping = life.kill('SIGTERM');
    await manager.hears('STOPPING=1');
    expect(await stopping).toBe(0);
    expect(manager.heard.filter((message) => message.includes('READY=1'))).toHaveLength(1);
  });

  it('reads its settings anew on SIGHUP: what it can it applies, the rest and what is wrong it names', async () => {
    const home = agentHome(fleet, 'web-1', { allowUrls: [] });
    const life = start(home);
    await manager.hears('READY=1');
    const origin = await fleet.origin();
    const commitId = await origin.commit('a', { f: 'a' });
    await fleet.setConfig(JSON.stringify({ url: origin.url, commitId, relativePath: 'shop' }));
    await fleet.reported('web-1', 'a refusal', (report) => report.phase === 'failed');

    const reload = async (edit: Parameters<typeof change>[1]) => {
      const from = manager.heard.length;
      change(home, edit);
      process.kill(life.pid, 'SIGHUP');
      const begun = await manager.hears('RELOADING=1', from);
      expect(manager.heard[begun]?.[1]).toMatch(/^MONOTONIC_USEC=[1-9]\d+$/);
      await manager.hears('READY=1', begun);
    };
    await reload((settings) => {
      settings.agent['allowUrl'] = ['file:///'];
    });
    await logs(home, /"code":"SETTINGS".*did you mean.*keeping the current ones/);
    expect((await fleet.report('web-1'))?.phase).toBe('failed');

    await reload((settings) => {
      delete settings.agent['allowUrl'];
      settings.agent['allowUrls'] = [`file://${fleet.directory}`];
      settings.agent['state'] = join(home.directory, 'other');
    });
    await logs(home, /settings reloaded: agent\.allowUrls/);
    await logs(home, /these need a restart: agent\.state/);
    await until('the target is judged anew', async () => settledOn(home, 'shop', commitId));
    expect(await life.kill('SIGTERM')).toBe(0);
  });

  it('ends in order however early it is told to, and an early SIGHUP does not end it', async () => {
    const home = agentHome(fleet, 'web-1');
    const first = start(home);
    await until('signals are held', async () => catchesHangup(first.pid));
    expect(await first.kill('SIGTERM')).toBe(0);
    const second = start(home);
    await until('signals are held', async () => catchesHangup(second.pid));
    process.kill(second.pid, 'SIGHUP');
    await logs(home, /settings unchanged/);
    expect(await second.kill('SIGTERM')).toBe(0);
  });
});

/** Whether a handler was installed, by what the kernel says; Node itself has none for this signal. */
function catchesHangup(pid: number): boolean {
  const caught = /^SigCgt:\s*([0-9a-f]+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? '0';
  return (BigInt(`0x${caught}`) & 1n) !== 0n;
}
