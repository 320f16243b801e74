import { enrolAgents, type Newcomer, removeEnrolled, setEnrolmentOpen } from '../../fleet/enrolment/enrol.ts';
import { readEnrolled } from '../../fleet/enrolment/enrolment.ts';
import { presenceSubject } from '../../fleet/enrolment/trust.ts';
import { enrolmentLines, enteredLines, openedLines, removedLines } from '../../publisher/screens/enrolment-lines.ts';
import { systemClock } from '../../runtime/clock.ts';
import { parseEnrolment, parseIdentity } from '../../schemas/enrolment.ts';
import type { EnrolOutput } from '../../schemas/json-output.ts';
import { parsePresence } from '../../schemas/report.ts';
import { isSignedBy } from '../../schemas/text/signed-json.ts';
import { AGENT_ID, type Znodes, znodes } from '../../schemas/znodes.ts';
import { readChildren } from '../../zookeeper/recipes/read-children.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { asOperator } from '../shell/access.ts';
import { author } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { sessionAccess } from '../shell/session-access.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';

/**
 * `gitfleet enrol`: who counts as an agent. Without arguments it lists them; `web-1=IDENTITY` enters agents, `--online`
 * those that are online now, `--remove` takes some out; `--close` and `--open` say whether it is asked at all.
 */
export async function run({ options, words }: Call): Promise<number> {
  const asked = askedOf(options, words);
  const settings = await readSettings(options);
  const { access } = await sessionAccess(settings);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const parts = { session, znodes: paths, access };
    const reason = String(options['message'] ?? '');
    const who = { by: author(process.env), reason, at: systemClock.now() };
    const write = <T>(what: string, work: () => Promise<T>) => asOperator('enrolment', written(what, work));
    const lines: string[] = [];
    const newcomers = asked.online ? await onlineNow(session, paths) : asked.newcomers;
    if (newcomers.length > 0 || asked.online) {
      await write('the agents may be enrolled', () => enrolAgents(parts, newcomers, who));
      lines.push(...enteredLines(newcomers));
    }
    if (asked.remove.length > 0) {
      const removed = await write('the agents may be removed', () => removeEnrolled(parts, asked.remove));
      lines.push(...removedLines(asked.remove, removed));
    }
    if (asked.open !== null) {
      const { open } = asked;
      const changed = await write('the enrolment may be changed', () => setEnrolmentOpen(parts, open, who));
      lines.push(openedLines(open, changed));
    }
    const now = await enrolmentNow(session, paths);
    if (options['json']) sayJson(now satisfies EnrolOutput);
    else say(...lines, ...enrolmentLines(settings.app, now));
    return EXIT.converged;
  });
}

interface Asked {
  readonly newcomers: readonly Newcomer[];
  readonly online: boolean;
  readonly remove: readonly string[];
  /** Null: it stays as it is. */
  readonly open: boolean | null;
}

/** @throws FleetError USAGE */
function askedOf(options: Call['options'], words: readonly string[]): Asked {
  const [open, close] = [options['open'] === true, options['close'] === true];
  const [remove, online] = [options['remove'] === true, options['online'] === true];
  if (open && close) throw usage('--open and --close are opposites', 'give one of them');
  if (open && !options['message']) throw usage('--open requires a reason (-m)', 'gitfleet enrol --open -m "trial"');
  if (remove && online) throw usage('--online enters agents, --remove takes some out', 'give one of them');
  if (remove && words.length === 0) throw usage('--remove needs agents', 'such as: gitfleet enrol --remove web-1');
  if (online && words.length > 0) throw usage('--online takes no names', 'gitfleet enrol --online, or name each agent');
  const newcomers = remove ? [] : words.map(newcomerOf);
  return { newcomers, online, remove: remove ? words : [], open: open ? true : close ? false : null };
}

function newcomerOf(word: string): Newcomer {
  const at = word.indexOf('=');
  const agentId = word.slice(0, Math.max(0, at));
  const identity = parseIdentity(word.slice(at + 1));
  if (AGENT_ID.test(agentId) && identity) return { agentId, identity };
  throw usage(
    `${JSON.stringify(word.slice(0, 100))} is not AGENT=IDENTITY`,
    'gitfleet agent status, on its server, prints it; gitfleet enrol --online takes the agents that are online',
  );
}

/** Trust on first use: each says who it is, and its presence is signed so for the session that holds it. */
async function onlineNow(session: Session, paths: Znodes): Promise<Newcomer[]> {
  const { nodes } = await readChildren(session, paths.online, { names: (name) => AGENT_ID.test(name) });
  return [...nodes].flatMap(([agentId, { data, stat }]) => {
    const identity = parseIdentity(parsePresence(data)?.identity ?? '');
    const signed = identity && isSignedBy(identity.key, presenceSubject(agentId, stat.ephemeralOwner), data);
    return identity && signed && stat.ephemeralOwner !== 0n ? [{ agentId, identity }] : [];
  });
}

async function enrolmentNow(session: Session, paths: Znodes): Promise<EnrolOutput> {
  const [node, names] = await Promise.all([session.get(paths.enrolment), session.children(paths.enrolment)]);
  const { isOpen, said, unreadable } = parseEnrolment(node?.data ?? Buffer.alloc(0));
  const agents = [...(await readEnrolled(session, paths, names ?? []))].sort(([a], [b]) => (a < b ? -1 : 1));
  return { open: isOpen, said, unreadable, agents: agents.map(([agentId, entry]) => ({ agentId, ...entry })) };
}
