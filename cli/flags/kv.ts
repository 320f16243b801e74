import {
  checkValuePath,
  checkValueSize,
  checkWrittenPath,
  MAX_VALUE_BYTES,
  missing,
  putValue,
  removeValue,
} from '../../fleet/values.ts';
import { visible } from '../../runtime/safe-text.ts';
import type { ValueChangeOutput, ValueOutput } from '../../schemas/json-output.ts';
import type { Session } from '../../zookeeper/session.ts';
import type { Call } from '../command-table.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { written } from '../shell/interrupt.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson, usage } from '../shell/terminal.ts';

/** `gitfleet kv get | put | ls | rm | watch PATH`: values of other programs, outside the trees of gitfleet. */
const get = (call: Call): Promise<number> =>
  onValue(call, 'read', async (session, path) => {
    const node = await session.get(path);
    if (!node) throw missing(path);
    if (call.options['json']) sayJson(outputOf(path, node.data, node.stat.version));
    else say(visible(node.data.toString('utf8'), MAX_VALUE_BYTES));
  });

async function put(call: Call): Promise<number> {
  const data = Buffer.from(String(call.words[1]));
  checkValueSize(data);
  const ifVersion = versionIn(call.options['ifVersion']);
  const force = call.options['force'] === true;
  return await onValue(call, 'write', async (session, path) => {
    const done = await written(`${path} may be written`, () => putValue(session, { path, data, ifVersion, force }));
    if (call.options['json']) sayJson({ path, ...done } satisfies ValueChangeOutput);
    else say(`${path}: ${done.created ? 'created' : `version ${done.version}`}`);
  });
}

const ls = (call: Call): Promise<number> =>
  onValue(call, 'read', async (session, path) => {
    const names = await session.children(path);
    if (!names) throw missing(path);
    for (const name of names.toSorted()) {
      if (call.options['json'])
        sayJson({ path: path === '/' ? `/${name}` : `${path}/${name}` } satisfies ValueChangeOutput);
      else say(visible(name, 300));
    }
  });

const rm = (call: Call): Promise<number> =>
  onValue(call, 'write', async (session, path) => {
    await written(`${path} may be removed`, () => removeValue(session, path, call.options['force'] === true));
    if (call.options['json']) sayJson({ path, removed: true } satisfies ValueChangeOutput);
    else say(`${path}: removed`);
  });

/** One line for the value now and one for each change, until Ctrl-C. */
const watch = (call: Call): Promise<number> =>
  onValue(call, 'read', async (session, path) => {
    const stop = new AbortController();
    const press = () => stop.abort();
    process.on('SIGINT', press).on('SIGTERM', press);
    try {
      for await (const seen of session.watch(path, { signal: stop.signal })) {
        if (call.options['json'])
          sayJson(seen.exists ? outputOf(path, seen.data, seen.stat.version) : { path, value: null });
        else say(seen.exists ? visible(seen.data.toString('utf8'), MAX_VALUE_BYTES) : `there is no ${path}`);
      }
    } finally {
      process.off('SIGINT', press).off('SIGTERM', press);
    }
  });

/** By verb. */
export const valueActions = { get, put, ls, rm, watch };

/** Bytes that are not UTF-8 are given in base64, so that nothing is lost. */
function outputOf(path: string, data: Buffer, version: number): ValueOutput {
  const value = data.toString('utf8');
  return Buffer.from(value).equals(data)
    ? { path, value, version }
    : { path, base64: data.toString('base64'), version };
}

async function onValue(
  { options, words }: Call,
  kind: 'read' | 'write',
  work: (session: Session, path: string) => Promise<void>,
): Promise<number> {
  const path = String(words[0]);
  if (path !== '/' || kind === 'write') checkValuePath(path);
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    if (kind === 'write') await checkWrittenPath(session, path);
    await work(session, path);
    return EXIT.converged;
  });
}

function versionIn(given: unknown): number | null {
  if (given === undefined) return null;
  const version = Number(given);
  if (/^\d{1,9}$/.test(String(given))) return version;
  throw usage('--if-version must be a whole number', 'the version is in: gitfleet kv get PATH --json');
}
