import { clean } from '../../runtime/safe-text.ts';

/**
 * Splits the standard error of a git command by source. The text of our own git decides what this machine does next;
 * text from another machine must not.
 *
 * Guarantee: text of a git host, its login shell, its web server, its certificate or its ref names is never returned as
 * `git`. Not promised: which part of `host` is the ssh client's own, because it writes into the same stream.
 */
export interface GitWords {
  readonly stderr: string;
  /** What ssh and its host wrote. Undefined: that is part of `stderr`, before the line in which our git gives up. */
  readonly sshStderr?: string | undefined;
}

/**
 * - `git`: our own git, without the names that it quotes.
 * - `host`: the ssh client, and what the host prints through it. Counts only if our git gave up the connection.
 * - `web`: the http client, which quotes the server and its certificate.
 * - `refusal`: the host's answer in git's protocol.
 */
export type Speaker = 'git' | 'host' | 'web' | 'refusal';

export type BySpeaker = Readonly<Record<Speaker, string>>;

/** @param url the remote. For `file:` it is a git on this machine, which is believed like our own. */
export function speakersOf({ stderr, sshStderr }: GitWords, url: string): BySpeaker {
  if (url.startsWith('file:')) return { git: unquoted(stderr, url), host: '', web: '', refusal: '' };
  const { own, refusal } = partsOf(stderr);
  const end = own.findIndex((line) => GAVE_UP.test(line));
  // In a single stream, everything before that line may come from ssh and the host.
  const mixed = sshStderr === undefined && end >= 0;
  const host = sshStderr ?? (mixed ? own.slice(0, end).join('\n') : '');
  const lines = (mixed ? own.slice(end) : own).map((line) => WEB.exec(unquoted(line, url)) ?? [unquoted(line, url)]);
  return {
    git: lines.map(([whole, before = whole]) => before).join('\n'),
    host: end >= 0 ? host : '',
    web: lines.flatMap(([, , words]) => words ?? []).join('\n'),
    refusal,
  };
}

const GAVE_UP = /^fatal: Could not read from remote repository/;
const WEB = /^(.*unable to access ''|.*\bRPC failed)[:;] (.*)$/;

/** What our git printed, the host's answer in git's protocol, and what the host wrote beside the protocol. */
function partsOf(stderr: string): { own: string[]; refusal: string; beside: string[] } {
  const [before = '', ...refusal] = stderr.split(/(?:fatal: )?remote error: /);
  const lines = before.split('\n');
  return {
    // Git's list of refs begins with a space; the host chose those names.
    own: lines.filter((line) => !/^(remote: | |From )/.test(line)),
    refusal: refusal.join('\n'),
    beside: lines.flatMap((line) => /^remote: (.*)$/.exec(line)?.[1] ?? []),
  };
}

/** Removes quoted names, which others choose: a repository called `hasDot` means nothing about a tree. */
function unquoted(text: string, url: string): string {
  const plain = url === '' ? text : text.replaceAll(url.replace(/\/$/, ''), '');
  return plain.replace(/(?<![A-Za-z])'[^'\n]*'/g, (name) => (name.endsWith(".lock'") ? "'.lock'" : "''"));
}

/** The lines that carry the cause, labelled with their source, cleaned, and short enough for a report. */
export function reasonOf({ stderr, sshStderr }: GitWords, url: string): string {
  const { own, refusal, beside } = partsOf(clean(stderr, 20_000));
  const local = url.startsWith('file:');
  const end = local || sshStderr !== undefined ? -1 : own.findIndex((line) => GAVE_UP.test(line));
  const through = sshStderr === undefined ? own.slice(0, Math.max(0, end)) : clean(sshStderr, 20_000).split('\n');
  const parts = [
    chosen(telling(own.slice(end + 1)), 4),
    labelled('ssh or the git host says', chosen(through.slice(-40), -6)),
    labelled('the git host says', chosen([...refusal.split('\n'), ...telling(beside)], 4)),
  ].filter((part) => part !== '');
  const fallback = own.some((line) => GAVE_UP.test(line)) ? 'the git host ended the connection' : 'git said nothing';
  return clean(parts.join('; ') || fallback, 700);
}

const labelled = (label: string, words: string): string => (words === '' ? '' : `${label}: ${words}`);

/** A negative count takes the last lines: ssh reports its end after the host's output. */
function chosen(lines: readonly string[], count: number): string {
  const kept = lines.map((line) => line.trim()).filter((line) => line !== '' && !NOISE.test(line));
  return (count < 0 ? kept.slice(count) : kept.slice(0, count)).join(' | ');
}

const telling = (lines: readonly string[]): readonly string[] => {
  const found = lines.filter((line) => /fatal:|error:|warning:|denied|failed|refused|reset|No space/i.test(line));
  return found.length > 0 ? found : lines;
};

/** Lines that are irrelevant to the failure, or only repeat its code. */
const NOISE = new RegExp(
  [
    '^@+$|^hint:|^From |^\\* |^(Counting|Compressing|Enumerating|Total|Receiving|Resolving)\\b',
    '^fatal: Could not read from remote repository|^Please make sure you have the correct access|^and the repository exists',
    'POSSIBLE THAT SOMEONE IS DOING|could be eavesdropping|a host key has just been changed|contact your system admin',
    'to get rid of this message|^\\s*remove with:|^\\s*ssh-keygen -f ',
  ].join('|'),
  'i',
);
