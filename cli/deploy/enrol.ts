import type { AuditParts, Word } from '../../fleet/audit.ts';
import { enrolAgents, type Newcomer, removeEnrolled, setEnrolmentOpen } from '../../fleet/enrolment/enrol.ts';
import { readEnrolled } from '../../fleet/enrolment/enrolment.ts';
import { readOnline } from '../../fleet/enrolment/online.ts';
import {
  blockedLines,
  enrolmentLines,
  enteredLines,
  keptLines,
  openedLines,
  removedLines,
  withoutIdentityLines,
} from '../../publisher/screens/enrolment-lines.ts';
import { newNonce } from '../../runtime/nonce.ts';
import { parseEnrolment, parseIdentity } from '../../schemas/enrolment.ts';
import type { EnrolOutput } from '../../schemas/json-output.ts';
import { AGENT_ID, type Znodes, znodes } from '../../schemas/znodes.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { asOperator } from '../shell/access.ts';
import { wordOf } from '../shell/author.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { sessionAccess } from '../shell/session-access.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage, warn } from '../shell/terminal.ts';
import { timeToWrite } from './fleet-time.ts';

/**
 * `gitfleet enrol`: which agents count. Without arguments it lists them. `web-1=IDENTITY` enters agents, `--online`
 * those that are online now, `--remove` removes some. `--close` and `--open` say whether enrolment is required at all.
 */
export async function run({ options, words }: Call): Promise<number> {
  const asked = askedOf(options, words);
  const settings = await readSettings(options);
  const { access } = await sessionAccess(settings);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const lines = isChange(asked) ? await perform({ session, znodes: paths, access }, asked, wordOf(options)) : [];
    const now = await enrolmentNow(session, paths);
    if (options['json']) sayJson(now satisfies EnrolOutput);
    else say(...lines, ...enrolmentLines(settings.app, now));
    return EXIT.converged;
  });
}

/** Performs what was requested: first enters agents, then removes some, then opens or closes enrolment. */
async function perform(to: Omit<AuditParts, 'now' | 'newNonce'>, asked: Asked, word: Word): Promise<string[]> {
  const write = <T>(what: string, work: () => Promise<T>) => asOperator('enrolment', written(what, work));
  const { now } = await asOperator('enrolment', timeToWrite(to.session, to.znodes));
  const parts: AuditParts = { ...to, now, newNonce };
  const lines: string[] = [];
  const online = asked.online ? await readOnline(to.session, to.znodes) : null;
  const newcomers = online?.newcomers ?? asked.newcomers;
  if (newcomers.length > 0 || asked.online) {
    const enter = () => enrolAgents(parts, newcomers, word, !asked.online);
    const done = await write('the agents may be enrolled', enter);
    lines.push(...enteredLines(done));
    warn(
      ...keptLines(done.kept),
      ...blockedLines(done.blocked),
      ...withoutIdentityLines(online?.withoutIdentity ?? []),
    );
  }
  if (asked.remove.length > 0) {
    const removed = await write('the agents may be removed', () => removeEnrolled(parts, asked.remove, word));
    lines.push(...removedLines(asked.remove, removed));
  }
  const { open } = asked;
  if (open !== null) {
    const changed = await write('the enrolment may be changed', () => setEnrolmentOpen(parts, open, word));
    lines.push(openedLines(open, changed));
  }
  return lines;
}

const isChange = ({ newcomers, online, remove, open }: Asked): boolean =>
  online || newcomers.length > 0 || remove.length > 0 || open !== null;

interface Asked {
  readonly newcomers: readonly Newcomer[];
  readonly online: boolean;
  readonly remove: readonly string[];
  /** Null: unchanged. */
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
  const twice = newcomers.find(({ agentId }, at) => newcomers.findIndex((each) => each.agentId === agentId) < at);
  if (twice) throw usage(`${twice.agentId} is named twice`, 'one agent has one identity: name it once');
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

async function enrolmentNow(session: Session, paths: Znodes): Promise<EnrolOutput> {
  const [node, names] = await Promise.all([session.get(paths.enrolment), session.children(paths.enrolment)]);
  const { isOpen, said, unreadable } = parseEnrolment(node?.data ?? Buffer.alloc(0));
  const agents = [...(await readEnrolled(session, paths, names ?? []))].sort(([a], [b]) => (a < b ? -1 : 1));
  return { open: isOpen, said, unreadable, agents: agents.map(([agentId, entry]) => ({ agentId, ...entry })) };
}
