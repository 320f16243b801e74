import { lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { nameOfProcess } from '../../git/run/orphans.ts';
import { killGroup } from '../../runtime/process.ts';

/**
 * Which step runs, in `<state>/apps/<app>/running-step`: a step outlives an agent that is killed, and its successor runs
 * it again. What a step that has ended left running is no part of it, so the mark is the step's own process and not,
 * as for git's children, something that all below it inherit.
 */
const FILE = 'running-step';

/** In one go with the start of the process, and no failure of the step: the mark is a help for after a crash. */
export function noteStep(appState: string, pid: number): void {
  const name = nameOfProcess(pid);
  if (name !== null) tryTo(() => writeFileSync(join(appState, FILE), name));
}

export const forgetStep = (appState: string): void => tryTo(() => rmSync(join(appState, FILE), { force: true }));

/** Ends the step of a dead predecessor, with all of its process group. True: there was one. */
export function endLeftStep(appState: string): boolean {
  let name = '';
  tryTo(() => {
    const file = join(appState, FILE);
    // A pipe would hold us up, and more than a name is none.
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
