import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type AgentHome, agentHome, type Life, shown, startLife } from '../../support/agent/agent-process.ts';
import { TestFleet } from '../../support/fleet.ts';
import { createOrigin } from '../../support/git/origin.ts';
import { freePort, untilListening } from '../../support/git/sshd.ts';
import { commitTree, meant, type Node, onDisk } from '../../support/model-tree.ts';
import { SOAK } from '../../support/seeded.ts';
import { until } from '../../support/until.ts';
import { sharedServer } from '../../support/zookeeper/shared.ts';

/** Fifty in the soak (npm run soak:herd); elsewhere half as many again as the daemon takes. */
const AGENTS = SOAK ? 50 : 12;
/** Connections that the daemon serves at once; beyond them it drops one, as a busy server does. */
const DAEMON_TAKES = 8;

const servers = sharedServer();
let fleet: TestFleet;
let lives: Life[] = [];
let end = async () => {};
afterEach(async () => {
  await Promise.all(lives.map((life) => life.kill('SIGKILL')));
  lives = [];
  await end();
  await fleet.stop();
});

/** A plain git daemon that says each connection. */
async function startBusyDaemon(root: string) {
  const port = await freePort();
  const flags = ['--verbose', '--reuseaddr', '--listen=127.0.0.1', `--port=${port}`, `--base-path=${root}`];
  const child = spawn('git', ['daemon', ...flags, '--export-all', `--max-connections=${DAEMON_TAKES}`], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const ended = new Promise((resolve) => child.once('exit', resolve));
  end = async () => {
    // `git daemon` runs as a child of `git`: the group is ours, so end it as one.
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await ended;
  };
  await untilListening(port, () => said);
  const count = (words: RegExp) => said.match(words)?.length ?? 0;
  return {
    url: `git://127.0.0.1:${port}/origin.git`,
    served: () => count(/Request upload-pack/g),
    connections: () => count(/Connection from /g) + count(/Too many children, dropping connection/g),
  };
}

describe(`a herd of ${AGENTS} agents on one plain git daemon`, () => {
  it('arrives whole, each time, and tries no more often than it must', async () => {
    fleet = await TestFleet.create(servers.connect());
    const origin = createOrigin(join(fleet.directory, 'origin.git'));
    const daemon = await startBusyDaemon(fleet.directory);
    const tree = new Map<string, Node>();
    const homes: AgentHome[] = [];
    for (let at = 1; at <= AGENTS; at++) homes.push(agentHome(fleet, `web-${at}`, { allowUrls: [daemon.url] }));
    lives = homes.map((home) => startLife(home));
    const online = async () => (await fleet.session.children(fleet.znodes.online))?.length === AGENTS;
    await until(`${AGENTS} agents are online`, online, 180_000);

    for (const round of ['first', 'next'] as const) {
      for (let at = 0; at < 40; at++) {
        if (round === 'first' || at < 3)
          tree.set(`d${at % 5}/f${at}`, { kind: 'file', content: `${round} ${at}\n`, executable: false });
      }
      const commitId = commitTree(origin, tree);
      const before = { served: daemon.served(), connections: daemon.connections() };
      const began = performance.now();
      await fleet.setConfig(JSON.stringify({ url: daemon.url, commitId, relativePath: 'shop' }));
      const arrived = () => homes.filter((home) => shown(home, 'shop') === commitId).length;
      await until(`all ${AGENTS} show the ${round} commit`, async () => arrived() === AGENTS, 180_000);
      const tookMs = Math.round(performance.now() - began);
      let failures = 0;
      for (const { id } of homes) {
        const fits = (report: { phase: string; activeCommit: string | null }) =>
          report.phase === 'active' && report.activeCommit === commitId;
        failures += (await fleet.reported(id, 'active', fits, 60_000)).attempts;
      }
      for (const home of homes) expect(onDisk(join(home.root, 'shop'))).toEqual(meant(tree));
      const served = daemon.served() - before.served;
      const connections = daemon.connections() - before.connections;
      const tries = AGENTS + failures;
      console.log(
        `${round}: ${arrived()} of ${AGENTS} in ${tookMs} ms with ${tries} tries; the daemon saw ${connections} connections and served ${served}`,
      );
      expect(served).toBeGreaterThanOrEqual(AGENTS);
      // One connection per try, none beside them; and with full jitter a few tries each, never a storm.
      expect(connections).toBeLessThanOrEqual(tries);
      expect(tries).toBeLessThanOrEqual(4 * AGENTS);
    }
  }, 600_000);
});
