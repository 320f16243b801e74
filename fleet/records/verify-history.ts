import { parseDeployment } from '../../schemas/deployment.ts';
import { parseAuditRecord } from '../../schemas/records/audit.ts';
import type { Znodes } from '../../schemas/znodes.ts';
import { isCode } from '../../zookeeper/errors.ts';
import { childPath } from '../../zookeeper/paths.ts';
import type { AclEntry, Session } from '../../zookeeper/session.ts';
import { isOpen } from '../access.ts';
import { numbersIn } from '../numbered.ts';
import { contentOf, find } from '../record-node.ts';
import { type Chain, type Checked, checkChain, type Noted, type RecordSeen } from './check-chain.ts';

/** Reads both chains of an app, deployments and audit records, and checks whether they are whole. Writes nothing. */
export async function verifyHistory(session: Session, znodes: Znodes, noted: Noted | null): Promise<Checked[]> {
  const chains = await Promise.all([
    readChain(session, { parent: znodes.deployments, prefix: 'd', parse: parseDeployment }),
    readChain(session, { parent: znodes.audit, prefix: 'a', parse: parseAuditRecord }),
  ]);
  return chains.map((chain) => checkChain(chain, noted));
}

interface List {
  readonly parent: string;
  readonly prefix: 'd' | 'a';
  readonly parse: (data: Buffer) => { readonly number: number; readonly chain: string | null } | null;
}

/** The newest records are read. A chain with more than this has enough findings already. */
const MAX_READ = 1_000;
/** Reads again after a publish in between, because counter and records must be from one moment. */
const MAX_LOOKS = 5;

async function readChain(session: Session, list: List): Promise<Chain> {
  for (let looks = 1; ; looks += 1) {
    const counter = await session.get(list.parent);
    const numbers = (await numbersIn(session, list.parent, list.prefix)).slice(0, MAX_READ).reverse();
    const found = await Promise.all(numbers.map((number) => readRecord(session, list, number)));
    const after = await session.get(list.parent);
    if (counter?.stat.version !== after?.stat.version && looks < MAX_LOOKS) continue;
    return {
      prefix: list.prefix,
      counter: counterOf(after?.data ?? null),
      records: found.filter((record) => record !== null),
      open: isOpen(await aclOf(session, list.parent)),
    };
  }
}

/** Null: removed in the meantime, as the oldest records are. */
async function readRecord(session: Session, { parent, prefix, parse }: List, number: number) {
  const path = childPath(parent, `${prefix}-${number}`);
  const [found, acl] = await Promise.all([find(session, path), aclOf(session, path)]);
  if (found === null) return null;
  const node = contentOf(found);
  const seen: RecordSeen = {
    ...{ number, acl, data: node?.data ?? null, says: node && parse(node.data), stat: node?.stat ?? null },
  };
  return seen;
}

async function aclOf(session: Session, path: string): Promise<readonly AclEntry[]> {
  const found = await session.getAcl(path).catch((error: unknown) => {
    if (isCode(error, 'NO_AUTH')) return null;
    throw error;
  });
  return found?.acl ?? [];
}

function counterOf(data: Buffer | null): number | null {
  const text = data?.toString('utf8').trim() ?? '';
  return /^\d{0,15}$/.test(text) ? Number(text) : null;
}
