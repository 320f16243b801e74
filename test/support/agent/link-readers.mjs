// Readers of served links, in a process of their own, forked by link-readers.ts. For each link that it watches
// - a sampler repeatedly resolves the link once, and reads HEAD and files below the result: one commit, complete;
// - holders keep an open directory and an open file of a release, and compare them until its grace is over.
import { closeSync, fstatSync, lstatSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

const FILES_AT_ONCE = 8;
const HELD_AT_ONCE = 3;
const HOLD_EVERY_MS = 150;
/**
 * The pause between two looks at a link. Without it the readers would take a core from what they watch, in each such
 * file.
 */
const LOOK_EVERY_MS = process.env.GITFLEET_SOAK === '1' ? 2 : 10;

/** @type {Map<string, any>} */
const watched = new Map();
/** @type {Map<string, Record<string, string>>} */
const commits = new Map();
/** @type {Set<string>} */
const everNamed = new Set();
const tally = { samples: 0, overtaken: 0, headless: 0, held: 0, heldThroughGrace: 0, heldChecks: 0 };
/** @type {string[]} */
const problems = [];

const problem = (link, words) =>
  problems.length < 500 && problems.push(`${new Date().toISOString()} ${link}: ${words}`);

function meantBy(expected, commitId) {
  let found = commits.get(commitId);
  if (!found) {
    found = JSON.parse(readFileSync(join(expected, `${commitId}.json`), 'utf8'));
    commits.set(commitId, found);
    for (const name of Object.keys(found)) everNamed.add(name);
  }
  return found;
}

/** What is at `path`, in the terms of model-tree.ts; null if there is nothing. */
function found(path) {
  try {
    const stat = lstatSync(path);
    if (stat.isSymbolicLink()) return `link ${readlinkSync(path)}`;
    if (stat.isDirectory()) return null;
    return `${(stat.mode & 0o7777).toString(8)} ${readFileSync(path, 'latin1')}`;
  } catch (error) {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null;
    throw error;
  }
}

/** Compares some files of the tree, and one that it must not have, with the commit. */
function differences(directory, meant) {
  const names = [...Object.keys(meant)];
  const others = [...everNamed].filter((name) => meant[name] === undefined);
  const chosen = [];
  const from = Math.floor(Math.random() * names.length);
  for (let at = 0; at < FILES_AT_ONCE; at++) chosen.push(names[(from + at * 7) % names.length]);
  if (others.length > 0) chosen.push(others[Math.floor(Math.random() * others.length)]);
  return chosen.flatMap((name) => {
    const there = found(join(directory, name));
    if (there === (meant[name] ?? null)) return [];
    return [`${name} is ${there === null ? 'missing' : JSON.stringify(there.slice(0, 40))}`];
  });
}

function sample(link, watch) {
  const started = performance.now();
  let target;
  try {
    target = readlinkSync(link);
  } catch {
    if (watch.seen) problem(link, 'the link is missing');
    return;
  }
  watch.seen = true;
  const release = resolve(dirname(link), target);
  const commitId = basename(release);
  const wrong = differences(release, meantBy(watch.expected, commitId));
  let head = null;
  try {
    const admin = readFileSync(join(release, '.git'), 'utf8').trim().slice('gitdir: '.length);
    head = readFileSync(join(admin, 'HEAD'), 'utf8').trim();
  } catch {}
  // The release may be removed once its grace is over: a reader that was stopped for that long proves nothing.
  if (performance.now() - started >= watch.graceMs) {
    tally.overtaken++;
    return;
  }
  tally.samples++;
  for (const words of wrong) problem(link, `${commitId} ${words}`);
  if (head === null && watch.storeMayBeAway) tally.headless++;
  else if (head !== commitId) problem(link, `${commitId} has HEAD ${head}`);
}

function hold(link, watch) {
  if (watch.held.length >= HELD_AT_ONCE || performance.now() - watch.heldAt < HOLD_EVERY_MS) return;
  watch.heldAt = performance.now();
  try {
    const directory = openSync(resolve(dirname(link), readlinkSync(link)), 'r');
    // Whatever the link shows by now, the open directory has its own name.
    const commitId = basename(readlinkSync(`/proc/self/fd/${directory}`));
    const meant = meantBy(watch.expected, commitId);
    const files = Object.keys(meant).filter((name) => !meant[name].startsWith('link '));
    const name = files[Math.floor(Math.random() * files.length)];
    const file = openSync(`/proc/self/fd/${directory}/${name}`, 'r');
    watch.held.push({ directory, file, name, commitId, meant, lastShown: watch.heldAt, left: false });
    tally.held++;
  } catch (error) {
    if (watch.seen) problem(link, `cannot be held: ${error.message}`);
  }
}

function checkHeld(link, watch) {
  for (const held of [...watch.held]) {
    const before = performance.now();
    let still = null;
    try {
      still = basename(readlinkSync(link));
    } catch {}
    if (still === held.commitId) {
      held.lastShown = before;
      held.left = false;
    } else held.left = true;
    const wrong = differences(`/proc/self/fd/${held.directory}`, held.meant);
    const content = Buffer.alloc(fstatSync(held.file).size);
    readSync(held.file, content, 0, content.length, 0);
    const mode = held.meant[held.name].slice(0, 4);
    if (mode + content.toString('latin1') !== held.meant[held.name]) wrong.push(`the open ${held.name} changed`);
    const inGrace = performance.now() < held.lastShown + watch.graceMs;
    if (inGrace) {
      tally.heldChecks++;
      for (const words of wrong) problem(link, `held ${held.commitId}: ${words}`);
    } else drop(watch, held);
    if (!inGrace && held.left) tally.heldThroughGrace++;
  }
}

function drop(watch, held) {
  watch.held = watch.held.filter((other) => other !== held);
  closeSync(held.directory);
  closeSync(held.file);
}

let rounds = 0;
function round() {
  rounds++;
  for (const [link, watch] of watched) {
    try {
      sample(link, watch);
      hold(link, watch);
      if (rounds % 3 === 0) checkHeld(link, watch);
    } catch (error) {
      problem(link, error.stack);
    }
  }
  setTimeout(round, LOOK_EVERY_MS);
}

process.on('message', (message) => {
  if (message.watch) watched.set(message.watch, { ...message, seen: false, held: [], heldAt: 0 });
  if (message.unwatch) {
    const watch = watched.get(message.unwatch);
    for (const held of watch?.held ?? []) drop(watch, held);
    watched.delete(message.unwatch);
  }
  process.send({ of: message.number, tally, problems });
});
process.on('disconnect', () => process.exit());
round();
