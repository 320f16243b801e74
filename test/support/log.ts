import { createLog } from '../../runtime/log.ts';

/** For parts that want a log where the test has nothing to read in it. */
export const silentLog = createLog({ level: 'silent' });
