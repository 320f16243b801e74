import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { createLog } from '../../runtime/log.ts';
import { logLinesTo } from '../../runtime/log-lines.ts';

const failing = (code: string) => Object.assign(new Error(code), { code });

/** A disk of so many bytes, which may be made larger. */
function disk(room: number) {
  const state = { room, text: '', fails: 'ENOSPC' };
  const writeSome = (_descriptor: number, bytes: Buffer, offset: number): number => {
    const fits = Math.min(state.room - state.text.length, bytes.length - offset);
    if (fits <= 0) throw failing(state.fails);
    state.text += bytes.toString('latin1', offset, offset + fits);
    return fits;
  };
  const lines = logLinesTo(1, (lost, code) => `${lost} lost: ${code}`, writeSome);
  return { state, write: (text: string) => lines.write(`${text}\n`), lines };
}

it.each(['ENOSPC', 'EIO', 'EPIPE', 'EDQUOT', 'EBADF'])(
  '%s: drops lines, counts them, and says so once it can write',
  (code) => {
    const { state, write } = disk(4);
    state.fails = code;
    for (const line of ['one', 'two', 'three']) write(line);
    expect(state.text).toBe('one\n');
    state.room = 1_000;
    write('four');
    write('five');
    expect(state.text).toBe(`one\n2 lost: ${code}\nfour\nfive\n`);
  },
);

it('a line that was cut ends where it was cut', () => {
  const { state, write } = disk(6);
  write('one');
  write('a long line');
  write('another');
  expect(state.text).toBe('one\na ');
  state.room = 1_000;
  write('last');
  expect(state.text).toBe('one\na \n2 lost: ENOSPC\nlast\n');
});

it('waits for a slow reader once, and not again before it takes something', () => {
  let asked = 0;
  let slow = true;
  let text = '';
  const lines = logLinesTo(
    1,
    (lost) => `${lost} lost`,
    (_descriptor, bytes, offset) => {
      asked++;
      if (slow) throw failing('EAGAIN');
      text += bytes.toString('utf8', offset);
      return bytes.length - offset;
    },
  );
  lines.write('one\n');
  expect(asked).toBe(51);
  lines.write('two\n');
  expect(asked).toBe(52);
  slow = false;
  lines.write('three\n');
  expect(text).toBe('2 lost\nthree\n');
});

it('a log call never throws, whatever it is given', () => {
  const broken = { write: () => expect.unreachable('a destination that throws') };
  const log = createLog({ level: 'info' }, { write: () => void broken.write() });
  const hostile = Object.defineProperty({}, 'x', { enumerable: true, get: () => expect.unreachable('a getter') });
  expect(() => log.info('words')).not.toThrow();
  expect(() => log.child({ a: 1 }).warn(hostile, 'words')).not.toThrow();
});

it('a program whose output goes to a full disk logs on and ends well', () => {
  const script = `
    import { createLog } from ${JSON.stringify(join(import.meta.dirname, '../../dist/runtime/log.js'))};
    const log = createLog({ level: 'info' });
    for (let n = 0; n < 1000; n++) log.info({ n }, 'a line');
    process.exitCode = 3;
  `;
  const ended = spawnSync('/bin/sh', ['-c', '"$0" --input-type=module -e "$1" >/dev/full', process.execPath, script], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  expect([ended.status, ended.stderr]).toEqual([3, '']);
});
