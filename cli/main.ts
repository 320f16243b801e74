#!/usr/bin/env node
/**
 * What bin.gitfleet names. The build (scripts/build.mjs) makes start.ts and all that it needs into one script, whose
 * value is a function, and keeps beside it what V8 made of that script: a start neither looks for files nor compiles.
 * For what publishes there is a second script, with no other verb in it: shorter, and so loaded sooner.
 * V8 refuses what another version or other flags made, and compiles as ever; it does not look for damage, so we do.
 * Nothing is written here: users of one installation need not trust one another. The script's name holds its
 * hash and all of it is in memory from here on, so an upgrade under a running agent mixes no versions.
 */
import { readFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { Script } from 'node:vm';
import { crc32 } from 'node:zlib';

/** The build puts the names in. */
const [verb, second] = process.argv.slice(2);
const publishes = verb === 'publish' || verb === 'deploy' || (verb === 'hook' && second === 'post-receive');
const filename = join(import.meta.dirname, publishes ? '@PUBLISHING@' : '@SCRIPT@');

/** What V8 made, behind eight bytes with its CRC; undefined where there is none, or a damaged one. */
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
// A stack trace shows the name that the cache was made under: the bare one is right wherever the script lies.
const script = new Script(readFileSync(filename, 'latin1'), {
  filename: basename(filename),
  ...(cachedData ? { cachedData } : {}),
});
script.runInThisContext()(require, filename, dirname(filename));
