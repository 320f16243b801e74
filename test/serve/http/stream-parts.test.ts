import { createGunzip } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { frameOf, GZIP_HEAD } from '../../../serve/http/frames.ts';
import { createResume } from '../../../serve/http/resume.ts';
import { againAfter, dueOf, type Look, SETTLED_MS } from '../../../serve/picture/look-order.ts';

describe('a frame', () => {
  it('is one event, whatever the strings in it contain', () => {
    const hostile = 'a\n\ndata: {"x":1}\r\nevent: snapshot\u2028\u202e';
    const text = frameOf('delta', { hostile }, 'abc-1').plain.toString();
    const [id, event, data, ...rest] = text.split(/\r\n|\n|\r/);
    expect([id, event, rest]).toEqual(['id: abc-1', 'event: delta', ['', '']]);
    expect(JSON.parse(data?.slice('data: '.length) ?? '')).toEqual({ hostile });
  });

  it('is compressed on its own, and frames in any order are one gzip stream', async () => {
    const frames = ['snapshot', 'synced', 'delta'].map((name) => frameOf(name, { name, text: name.repeat(500) }));
    const gunzip = createGunzip();
    const read: string[] = [];
    gunzip.on('data', (chunk: Buffer) => read.push(chunk.toString()));
    gunzip.write(GZIP_HEAD);
    for (const frame of frames.toReversed()) {
      gunzip.write(frame.packed());
      // Each arrives at once: nothing waits for the next one.
      await new Promise<void>((resolve) => gunzip.flush(resolve));
      expect(read.join('').endsWith(frame.plain.toString())).toBe(true);
    }
    expect(frames[0]?.packed().length).toBeLessThan(200);
    expect(frames[0]?.packed()).toBe(frames[0]?.packed());
  });
});

describe('a client that was away', () => {
  const frames = Array.from({ length: 5 }, (_, n) => frameOf('delta', { n: n + 2 }));
  const resume = createResume('abc');
  for (const [n, frame] of frames.entries()) resume.add(n + 2, frame);

  it.each([
    ['abc-6', 0],
    ['abc-5', 1],
    ['abc-1', 5],
    ['abc-0', null],
    ['abc-7', null],
    ['def-5', null],
    ['5', null],
    ['abc-5-', null],
    ['abc--5', null],
    ['', null],
    [undefined, null],
  ])('after %j gets the %s deltas that it missed, or a snapshot', (id, count) => {
    expect(resume.after(id, 6)?.length ?? null).toBe(count);
  });

  it('gets a snapshot once what it missed takes too much memory', () => {
    const full = createResume('abc');
    for (let n = 2; n < 12; n += 1) full.add(n, frameOf('delta', 'x'.repeat(500_000)));
    expect(full.after('abc-10', 11)).toHaveLength(1);
    // More than a mebibyte: the stream would end the client in the middle of it, each time that it comes back.
    expect(full.after('abc-8', 11)).toBeNull();
  });
});

describe('the order in which agents are read', () => {
  const look = (over: Partial<Look> = {}): Look => ({ readAt: 0, movedAt: 0, busy: true, ...over });

  it('takes those that were never read first, then the longest overdue, within the budget', () => {
    const looks = new Map([
      ['settled', look({ busy: false, readAt: 9_000 })],
      ['moving', look({ readAt: 9_500, movedAt: 9_500 })],
      ['waiting', look({ readAt: 9_000, movedAt: 0 })],
      ['new', look({ readAt: null })],
      ['long overdue', look({ readAt: 2_000, movedAt: 2_000 })],
    ]);
    expect(dueOf(looks, 10_000, 9)).toEqual(['new', 'long overdue', 'moving', 'waiting']);
    expect(dueOf(looks, 10_000, 2)).toEqual(['new', 'long overdue']);
  });

  it('comes back soon to one that moves, less often the longer it does not, and seldom to one that is done', () => {
    expect(againAfter(look({ movedAt: 1_000 }), 1_000)).toBe(250);
    expect(againAfter(look({ movedAt: 0 }), 10_000)).toBe(1_000);
    expect(againAfter(look({ movedAt: 0 }), 10_000_000)).toBe(5_000);
    expect(againAfter(look({ busy: false, movedAt: 1_000 }), 1_000)).toBe(SETTLED_MS);
  });
});
