#!/usr/bin/env node
/**
 * The entry that bin.gitfleet names. The build (scripts/build.mjs) bundles start.ts and everything that it needs into
 * one script, whose value is a function, and stores V8's compiled code for that script beside it: a start neither
 * searches for files nor compiles. The verbs that publish have a second script without any other verb, which is shorter
 * and loads sooner; the server has a third, for which no other verb pays. V8 rejects a cache from another version or other flags, and then compiles as usual. It does not
 * check for damage, so we do. Nothing is written here: the users of one installation need not trust one another. The
 * script's name contains its hash, and all of it is in memory from here on, so an upgrade under a running agent mixes
 * no versions.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** The build inserts the names. */
const [verb, second] = process.argv.slice(2);
const publishes = verb === 'publish' || verb === 'deploy' || (verb === 'hook' && second === 'post-receive');
const name = publishes ? '@PUBLISHING@' : verb === 'serve' ? '@SERVING@' : '@SCRIPT@';
const filename = join(import.meta.dirname, name);

/** V8's compiled code, after eight bytes with its CRC; undefined if there is none, or if it is damaged. */
function readCache(): Buffer | undefined {
  try {
    const kept = readFileSync(`${filename}.cache`);
    const cache = kept.subarray(8);
    return crc32(cache) === kept.readUInt32BE(0) ? cache : undefined;
  } catch {
    return undefined;
  }
}

const cachedData = readCache();
// A stack trace shows the name under which the cache was made: the bare file name is right wherever the script is.
const script = new Script(readFileSync(filename, 'latin1'), {
  filename: basename(filename),
  ...(cachedData ? { cachedData } : {}),
});
script.runInThisContext()(require, filename, dirname(filename));
