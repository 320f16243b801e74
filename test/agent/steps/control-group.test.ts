import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { delegatedGroup, newControlGroup } from '../../../agent/steps/control-group.ts';

/** Which group counts as the agent's own; what it is good for shows test/scenarios/agent/control-group.test.ts. */
let top: string;
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), 'gitfleet-groups-'));
});
afterEach(() => rmSync(top, { recursive: true }));

function groups(path: string, files = ['cgroup.procs', 'cgroup.kill']): string {
  mkdirSync(join(top, path), { recursive: true });
  for (const file of files) writeFileSync(join(top, path, file), '');
  return join(top, path);
}

const told = (own: string, mounts: string) => (file: string) => (file.endsWith('cgroup') ? own : mounts);
const mountOf = (root = '/') =>
  `30 1 0:26 ${root} ${top} rw,nosuid - cgroup2 cgroup2 rw\n31 1 0:27 / /sys rw - sysfs s rw\n`;

describe('the control group of an agent', () => {
  it('is that of its unit', () => {
    const own = groups('system.slice/gitfleet-agent.service');
    const inOldGroupsToo = '4:memory:/x\n0::/system.slice/gitfleet-agent.service\n';
    expect(delegatedGroup(told(inOldGroupsToo, mountOf()))).toBe(own);
    expect(delegatedGroup(told('0::/a/system.slice/gitfleet-agent.service\n', mountOf('/a')))).toBe(own);
  });

  it.each([
    ['that of a login', '0::/user.slice/session-3.scope\n'],
    ['the top', '0::/\n'],
    ['one of the old hierarchy alone', '1:name=systemd:/system.slice/gitfleet-agent.service\n'],
    ['one that is not mounted', '0::/elsewhere.slice/gitfleet-agent.service\n'],
    ['nothing that can be read', 'x'],
  ])('is not %s', (_, own) => {
    groups('system.slice/gitfleet-agent.service');
    groups('user.slice/session-3.scope');
    groups('.');
    expect(delegatedGroup(told(own, mountOf()))).toBeNull();
    expect(delegatedGroup(told('0::/system.slice/gitfleet-agent.service\n', ''))).toBeNull();
  });

  it('is none where a kernel cannot kill a group', () => {
    groups('system.slice/gitfleet-agent.service', ['cgroup.procs']);
    expect(delegatedGroup(told('0::/system.slice/gitfleet-agent.service\n', mountOf()))).toBeNull();
  });

  it('never stops a step: where no group can be made there is none', () => {
    expect(newControlGroup(join(top, 'gone.service'))).toBeNull();
    expect(newControlGroup(null)).toBeNull();
  });
});
