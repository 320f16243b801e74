import { createHash, timingSafeEqual } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Clock } from '../clock.ts';
import { classify, FleetError } from '../errors.ts';
import type { Logger } from '../log.ts';
import { isOpenToOthers } from './secret-file.ts';

/** The secret that clients of an HTTP endpoint present as `Authorization: Bearer TOKEN`. */
export interface TokenFile {
  /**
   * Whether the header has the token that the file holds now. Compares in constant time. False while the file cannot be
   * read; the log says why.
   */
  accepts(authorization: string | undefined): Promise<boolean>;
  /** Grows when the token changes: what an earlier one was given may then be taken away. */
  readonly version: number;
}

interface TokenParts {
  readonly clock: Pick<Clock, 'monotonic'>;
  readonly log: Logger;
}

/** A shorter one can be guessed. */
const LEAST = 20;
const MOST = 1_000;
/** A changed file counts after this time. */
const KEPT_MS = 500;

/**
 * Reads the file at once, and again when it is used after half a second. @throws FleetError SETTINGS if it cannot be
 * read, others may read it, or it holds no token.
 */
export async function openTokenFile(file: string, { clock, log }: TokenParts): Promise<TokenFile> {
  let digest: Buffer | null = digestOf(await readToken(file));
  let readAt = clock.monotonic();
  let version = 1;
  let reading: Promise<void> | null = null;

  async function readAgain(): Promise<void> {
    const next = await readToken(file).then(digestOf, (error: unknown) => {
      if (digest !== null) log.warn({ err: classify(error) }, 'the token file cannot be used: every client is refused');
      return null;
    });
    if (next === null || digest === null || !next.equals(digest)) version += 1;
    digest = next;
    readAt = clock.monotonic();
  }

  return {
    get version() {
      return version;
    },
    async accepts(authorization) {
      if (clock.monotonic() - readAt > KEPT_MS) {
        reading ??= readAgain().finally(() => {
          reading = null;
        });
        await reading;
      }
      const presented = /^Bearer ([\x21-\x7e]{1,1000})$/i.exec(authorization ?? '')?.[1];
      return presented !== undefined && digest !== null && timingSafeEqual(digestOf(presented), digest);
    },
  };
}

/** Of equal length for every token, as the comparison requires. */
const digestOf = (token: string): Buffer => createHash('sha256').update(token).digest();

async function readToken(file: string): Promise<string> {
  const unreadable = (error: Error) =>
    refused(file, `cannot be read: ${error.message}`, 'check the name in the settings and the owner of the file');
  const found = await stat(file).catch((error: Error) => Promise.reject(unreadable(error)));
  if (!found.isFile()) throw refused(file, 'is no file', 'name a file with one line, the token');
  if (isOpenToOthers(found)) throw refused(file, 'holds a secret, and others may read it', `chmod 600 ${file}`);
  if (found.size > MOST + 2) throw refused(file, `has more than ${MOST} characters`, MAKE(file));
  const token = (await readFile(file, 'utf8').catch((error: Error) => Promise.reject(unreadable(error)))).trim();
  if (/^[\x21-\x7e]+$/.test(token) && token.length >= LEAST) return token;
  throw refused(file, `holds no token: one word of at least ${LEAST} plain characters`, MAKE(file));
}

const MAKE = (file: string): string => `make one: (umask 077; openssl rand -base64 32 > ${file})`;
const refused = (file: string, why: string, hint: string) => FleetError.of('SETTINGS', `${file} ${why}`, hint);
