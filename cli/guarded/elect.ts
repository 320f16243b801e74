import { systemClock, systemRandom } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { orAborted } from '../../zookeeper/abortable.ts';
import type { Candidacy, Term } from '../../zookeeper/recipes/candidacy.ts';
import { standForElection } from '../../zookeeper/recipes/election.ts';
import { watchForDoubt } from '../../zookeeper/recipes/in-doubt.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { ensureParents, namedZnode, ownAcl } from './named-znode.ts';
import { runGuarded } from './run-guarded.ts';
import { forwardSignals, sayInDoubt } from './signals-of-command.ts';

/**
 * `gitfleet elect NAME -- CMD`: waits until it leads, and runs CMD while it does. It ends with CMD. The exit code is
 * that of CMD, or 75 if the lead was in doubt and CMD was ended. A service manager may start it again.
 */
export async function run({ options, words }: Call): Promise<number> {
  const [name = '', ...argv] = words;
  const settings = await readSettings(options);
  const path = namedZnode(name, '/elections', settings);
  const acl = await ownAcl(settings);
  const signals = forwardSignals();
  return await withSession(settings, async (session) => {
    const candidacy = standForElection(session, {
      path: await ensureParents(session, path, acl),
      data: Buffer.from(`${process.pid}`),
      acl,
      clock: systemClock,
      random: systemRandom,
      log: createLog({ level: 'silent' }),
    });
    try {
      const term = await orAborted(firstTerm(candidacy), signals.beforeCommand);
      return await whileLeading(session, term, argv, signals);
    } finally {
      await candidacy.leave();
    }
  });
}

function firstTerm(candidacy: Candidacy): Promise<Term> {
  return new Promise((resolve) => {
    const off = candidacy.onChange((term) => {
      if (!term) return;
      off();
      resolve(term);
    });
  });
}

async function whileLeading(
  session: Session,
  term: Term,
  argv: readonly string[],
  signals: ReturnType<typeof forwardSignals>,
): Promise<number> {
  const { timeoutMs } = await session.connected(signals.beforeCommand);
  const doubt = watchForDoubt(session, term, timeoutMs, systemClock);
  try {
    const exitCode = await runGuarded(argv, { fence: term.fence, doubt, signals: signals.toCommand });
    if (doubt.signal.aborted) sayInDoubt('the lead', doubt);
    return exitCode;
  } finally {
    doubt.close();
  }
}
