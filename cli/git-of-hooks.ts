import { createGit, type Git } from '../git/process.ts';
import { systemClock } from '../runtime/clock.ts';
import { createLog } from '../runtime/log.ts';

/** Git for questions about the repository that a hook stands in. */
export const gitOfHooks = (): Git =>
  createGit({ clock: systemClock, log: createLog({ level: 'silent' }), path: process.env['PATH'] });
