import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { writeDurably } from '../../runtime/durable-file.ts';
import { FleetError } from '../../runtime/errors.ts';
import { readIfThere } from '../../runtime/read-if-there.ts';
import type { Identity } from '../../schemas/enrolment.ts';
import { type SigningKey, signingKey } from '../../schemas/text/signed-json.ts';
import { digestId } from '../../zookeeper/acl.ts';

/**
 * What this agent alone holds, drawn at its first start and kept in its state directory: a ZooKeeper credential, the
 * only one that may write its presence and its report, and a key that signs both. ZooKeeper sees the credential at each
 * connect, and so may anyone on that connection; the key never leaves this server. Their public half is the agent's
 * identity, which the operator enters with `gitfleet enrol`.
 */
export interface OwnCredential {
  readonly scheme: 'digest';
  readonly credential: string;
  /** As access lists name it. */
  readonly id: string;
  readonly key: SigningKey;
  readonly identity: Identity;
}

/** @throws FleetError STATE_UNREADABLE: with new ones the agent could not write its existing presence and report. */
export async function ownCredential(state: string, agentId: string): Promise<OwnCredential> {
  const password = await kept(join(state, PASSWORD.file), PASSWORD);
  const seed = await kept(join(state, SEED.file), SEED);
  return credentialOf(agentId, password, seed);
}

/** Draws nothing: null if the agent has not started yet. @throws FleetError STATE_UNREADABLE */
export async function readIdentity(state: string, agentId: string): Promise<Identity | null> {
  const password = await read(join(state, PASSWORD.file), PASSWORD);
  const seed = await read(join(state, SEED.file), SEED);
  return password === null || seed === null ? null : credentialOf(agentId, password, seed).identity;
}

function credentialOf(agentId: string, password: string, seed: string): OwnCredential {
  const user = `agent-${agentId}`;
  const id = digestId(user, password);
  const key = signingKey(Buffer.from(seed, 'base64url'));
  const digest = Buffer.from(id.slice(user.length + 1), 'base64').toString('base64url');
  return { scheme: 'digest', credential: `${user}:${password}`, id, key, identity: { key: key.publicKey, digest } };
}

interface Secret {
  readonly file: string;
  readonly form: RegExp;
  readonly bytes: number;
  readonly is: string;
  /** Replaces the hint of the code. */
  readonly hint?: string;
}

const PASSWORD: Secret = {
  file: 'zookeeper-credential',
  form: /^[A-Za-z0-9_-]{8,200}$/,
  bytes: 24,
  is: 'a credential',
};
const SEED: Secret = {
  file: 'signing-key',
  form: /^[A-Za-z0-9_-]{43}$/,
  bytes: 32,
  is: 'a key',
  hint: 'restore the file from a backup; or remove it, start the agent, and enrol it again as gitfleet agent status says',
};

/** Their names in the state directory. */
export const OWN_SECRETS: readonly string[] = [PASSWORD.file, SEED.file];

async function kept(file: string, secret: Secret): Promise<string> {
  const there = await read(file, secret);
  if (there !== null) return there;
  const drawn = randomBytes(secret.bytes).toString('base64url');
  await writeDurably(file, `${drawn}\n`, 0o600);
  return drawn;
}

async function read(file: string, { form, is, hint }: Secret): Promise<string | null> {
  const unreadable = (cause?: unknown) =>
    FleetError.of('STATE_UNREADABLE', `${file} is not ${is} that an agent drew`, hint, cause);
  const text = await readIfThere(file, MAX_BYTES).catch((error: unknown) => {
    throw unreadable(error);
  });
  const found = text?.trim() ?? '';
  if (found !== '' && !form.test(found)) throw unreadable();
  return found === '' ? null : found;
}

const MAX_BYTES = 1_024;
