import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nameOfProcess } from '../../git/run/orphans.ts';
import { killGroup } from '../../runtime/process.ts';

/**
 * Which step is running, in `<state>/apps/<app>/running-step`: a step outlives an agent that is killed, and the next
 * agent runs it again. What a finished step left running is not part of it. So the mark names the step's own process
 * and is not inherited by all its children, unlike the mark of git's children.
 */
const FILE = 'running-step';

/**
 * Synchronous, so that no moment passes between the start of the process and the mark. An error here does not fail the
 * step: the mark only helps after a crash.
 */
export function noteStep(appState: string, pid: number): void {
  const name = nameOfProcess(pid);
  if (name !== null) tryTo(() => writeFileSync(join(appState, FILE), name));
}

export const forgetStep = (appState: string): void => tryTo(() => rmSync(join(appState, FILE), { force: true }));

/** Ends the step of a dead predecessor, with its whole process group. True: there was one. */
export function endLeftStep(appState: string): boolean {
  let name = '';
  tryTo(() => {
    const file = join(appState, FILE);
    // Reading a pipe would block, and a longer file is not a mark.
    const found = lstatSync(file);
    if (found.isFile() && found.size < 1_024) name = readFileSync(file, 'utf8');
  });
  forgetStep(appState);
  const pid = Number(name.split('.')[0]);
  if (!Number.isInteger(pid) || pid <= 1 || nameOfProcess(pid) !== name) return false;
  killGroup(pid);
  return true;
}

function tryTo(action: () => void): void {
  try {
    action();
  } catch {}
}
