import { spawn } from 'node:child_process';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cleanEnvironment, MAIN } from '../../support/commands.ts';
import { TestFleet } from '../../support/fleet.ts';
import { openProxy, type TcpProxy } from '../../support/proxy.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

const servers = sharedServer();
let fleet: TestFleet;
let proxy: TcpProxy;
beforeEach(async () => {
  proxy = await openProxy(servers);
});
afterEach(async () => {
  await fleet.stop();
  await proxy.stop();
});

/** A publish through a slow network, interrupted as soon as the server has it. */
async function interruptedPublish(meanwhile: () => Promise<void>) {
  fleet = await TestFleet.create(servers.connect());
  const origin = await fleet.origin();
  const commitId = await origin.commit('a', { f: 'a' });
  proxy.delay(250);
  const where = ['--url', origin.url, '--relative-path', 'shop', '-z', proxy.connect, '--app', fleet.app];
  const child = spawn(process.execPath, [MAIN, 'publish', commitId, ...where], { cwd: '/', env: cleanEnvironment() });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => (said += text));
  const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
  await until('it is written', async () => ((await fleet.session.get(fleet.znodes.config))?.data.length ?? 0) > 0);
  await meanwhile();
  child.kill('SIGINT');
  return { exitCode: await ended, said };
}

describe('Ctrl-C while the write is under way', () => {
  it('says what was published, and how to come back', async () => {
    const { exitCode, said } = await interruptedPublish(async () => {});
    expect(exitCode).toBe(130);
    expect(said).toMatch(/^d-1: [0-9a-f]{10} at shop/);
    expect(said).toContain('next: gitfleet attach d-1');
  });

  it('says that it may be published where no answer comes', async () => {
    const { exitCode, said } = await interruptedPublish(() => proxy.mode('mute'));
    expect(exitCode).toBe(130);
    expect(said).toContain('INTERRUPTED: ZooKeeper has not answered: d-1 may be published');
    expect(said).toContain('gitfleet status shows whether it happened');
  });
});
