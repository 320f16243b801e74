import { createLog } from '../../runtime/log.ts';

/** For parts that require a log which the test does not read. */
export const silentLog = createLog({ level: 'silent' });
