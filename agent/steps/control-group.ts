import { accessSync, constants, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Enclosure } from '../../runtime/process.ts';

/**
 * A control group for each step, so that everything the step started is killed with it, even if it detached itself: a
 * child of `setsid` leaves the process group, but stays in the control group.
 *
 * Only if systemd delegated the unit's own group to this agent (Delegate=yes). Otherwise null, and a step is killed by
 * its process group. It is not a prison: a program may move itself into another group of the agent's user. What a step
 * leaves running after it succeeded stays there.
 */
export function newControlGroup(own: string | null = delegatedGroup()): Enclosure | null {
  if (own === null) return null;
  removeEmpty(own);
  const group = join(own, `${PREFIX}${process.pid}-${++count}`);
  try {
    mkdirSync(group);
  } catch {
    return null;
  }
  return {
    start: (spawn) => startIn(group, own, spawn),
    kill: () => killAll(group),
  };
}

const PREFIX = 'step-';
let count = 0;

/**
 * A child starts in the group of its parent, so we move there and back synchronously: the step has no moment in which
 * it could start a child outside. If we cannot move, the step starts in our own group.
 */
function startIn<T>(group: string, own: string, spawn: () => T): T {
  const move = (to: string) => tryTo(() => writeFileSync(join(to, 'cgroup.procs'), `${process.pid}`));
  if (!move(group)) return spawn();
  try {
    return spawn();
  } finally {
    // There is no third try; killAll checks whether we are still inside.
    if (!move(own)) move(own);
  }
}

function killAll(group: string): void {
  tryTo(() => {
    const inside = readFileSync(join(group, 'cgroup.procs'), 'utf8').split('\n');
    if (inside.includes(`${process.pid}`)) return;
    writeFileSync(join(group, 'cgroup.kill'), '1');
  });
}

/** Groups in which nothing runs any more. The others cannot be removed. */
function removeEmpty(own: string): void {
  tryTo(() => {
    for (const name of readdirSync(own)) if (name.startsWith(PREFIX)) tryTo(() => rmdirSync(join(own, name)));
  });
}

/**
 * The group of this agent's unit, if the agent may create groups in it and kill them (Linux 5.14); otherwise null. A
 * group that is not a service's, such as that of a login, is not ours, even if we run as root.
 */
export function delegatedGroup(read: (file: string) => string = (file) => readFileSync(file, 'utf8')): string | null {
  try {
    const path = /^0::(\/.*)$/m.exec(read('/proc/self/cgroup'))?.[1] ?? '';
    if (!basename(path).endsWith('.service')) return null;
    const mount = read('/proc/self/mountinfo')
      .split('\n')
      .map((line) => / (\/\S*) (\/\S*) .* - cgroup2 /.exec(line))
      .find((found) => found !== null);
    const [, top = '', place = ''] = mount ?? [];
    if (place === '' || !(top === '/' || path.startsWith(`${top}/`))) return null;
    const own = join(place, top === '/' ? path : path.slice(top.length));
    for (const file of ['.', 'cgroup.procs']) accessSync(join(own, file), constants.W_OK);
    // This file itself is not delegated, but the agent's user owns it in the groups that it creates.
    accessSync(join(own, 'cgroup.kill'), constants.F_OK);
    return own;
  } catch {
    return null;
  }
}

function tryTo(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
