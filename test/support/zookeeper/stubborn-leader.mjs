/*
 * A leader that ignores every signal: it keeps writing with the guard of a term until the servers refuse it. The test
 * freezes this process (SIGSTOP) in the middle of that. It runs the output of `npm run build`, and communicates over
 * IPC.
 */
import { systemClock as clock, systemRandom as random } from '../../../dist/runtime/clock.js';
import { createLog } from '../../../dist/runtime/log.js';
import { openSession } from '../../../dist/zookeeper/open-session.js';
import { standForElection } from '../../../dist/zookeeper/recipes/election.js';

const [connect, election, value] = process.argv.slice(2);
const log = createLog({ level: 'silent' });
const backoff = { firstMs: 5, maxMs: 50 };
const session = openSession({ connect, sessionTimeoutMs: 20_000, defaultAcl: 'open', backoff, clock, random, log });
const candidacy = standForElection(session, { path: election, clock, random, log });

candidacy.onChange(async (term) => {
  if (!term) return;
  const { sessionId } = await session.connected();
  process.send({ leading: String(sessionId), fence: String(term.fence) });
  const data = Buffer.from(`old ${term.fence}`);
  for (let refused = false; !refused; ) {
    const batch = Array.from({ length: 5 }, () =>
      session.transact([term.guard, { op: 'set', path: value, data, version: -1 }], { deadlineMs: 20_000 }),
    );
    for (const result of await Promise.allSettled(batch)) {
      if (result.status === 'fulfilled') process.send({ accepted: String(result.value[1].stat.mzxid) });
      else refused ||= result.reason.code === 'NO_NODE';
    }
  }
  process.send({ refused: String(term.fence) });
});
process.on('disconnect', () => process.exit());
