import type { CommitId } from '../../schemas/values.ts';
import type { GitOrigin } from './git/origin.ts';
import { sealed, type TestKey } from './signers.ts';

/** What a signed commit or tag may be made of, honest or not. */
export interface Made {
  readonly parent?: string;
  /** Seconds since the epoch, as its author chooses it. */
  readonly at?: number;
  readonly namespace?: string;
  /** The name of the header; git's own by default. */
  readonly header?: string;
  /** Changes the object after it was signed. */
  readonly change?: (object: string) => string;
}

const WHO = 'A <a@example.com>';

/** Writes a commit that this key signed, by plumbing alone, so that it may be what git would not make. */
export async function signedCommit(origin: GitOrigin, key: TestKey, made: Made = {}): Promise<CommitId> {
  const { parent, at = 1_700_000_000, namespace = 'git', header = 'gpgsig', change = (object) => object } = made;
  const tree = origin.git(['rev-parse', 'main^{tree}']);
  const head = [`tree ${tree}`, ...(parent ? [`parent ${parent}`] : []), `author ${WHO} ${at} +0000`];
  const payload = `${[...head, `committer ${WHO} ${at} +0000`].join('\n')}\n\na signed change\n`;
  const { signature } = await sealed(payload, key, namespace);
  const lines = `${header} ${signature.trimEnd().replaceAll('\n', '\n ')}\n`;
  const object = change(payload.replace('\n\n', `\n${lines}\n`));
  return origin.git(['hash-object', '-t', 'commit', '-w', '--stdin', '--literally'], object) as CommitId;
}

/** Writes an annotated tag that this key signed, and gives it a name. */
export async function signedTag(
  origin: GitOrigin,
  name: string,
  key: TestKey,
  { about, kind = 'commit', change = (object) => object }: Pick<Made, 'change'> & { about: string; kind?: string },
): Promise<string> {
  const payload = `object ${about}\ntype ${kind}\ntag ${name}\ntagger ${WHO} 1700000000 +0000\n\na release\n`;
  const object = change(payload + (await sealed(payload, key, 'git')).signature);
  const id = origin.git(['hash-object', '-t', 'tag', '-w', '--stdin', '--literally'], object);
  origin.git(['update-ref', `refs/tags/${name}`, id]);
  return id;
}
