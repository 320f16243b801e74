import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeTarget, MAX_TARGET_BYTES, parseTarget } from '../../schemas/target.ts';
import { SEED } from '../support/seeded.ts';
import { ALLOW, COMMIT, CORPUS, ELSEWHERE, PATH, URL, VALID } from './target-corpus.ts';

const policy = { allow: ALLOW };

/** `A`, or the code of the refusal. */
function verdict(bytes: Buffer): string {
  const parsed = parseTarget(bytes, policy);
  return parsed.ok ? 'A' : parsed.failure.code;
}

function timed(action: () => void): number {
  const started = performance.now();
  action();
  return performance.now() - started;
}

function refusal(bytes: Buffer) {
  const parsed = parseTarget(bytes, policy);
  if (parsed.ok) throw new Error('accepted');
  return parsed.failure;
}

describe('the corpus of bad targets', () => {
  const inputs = CORPUS.flatMap((row) =>
    row.inputs.map((bytes, n) => ({ id: `${row.id}.${n + 1}`, expected: row.expected, bytes })),
  );

  it.each(inputs)('$id is judged $expected', ({ expected, bytes }) => {
    expect(verdict(bytes)).toBe(expected);
  });

  it.each(inputs.filter((input) => input.expected !== 'A'))('$id is told in a KiB of plain text', ({ bytes }) => {
    const { reason, hint, next } = refusal(bytes);
    expect(reason).toMatch(/^[ -~]+$/);
    expect(reason.length).toBeLessThanOrEqual(1_024);
    expect(hint).not.toBe('');
    expect(next).toBe('stall');
  });

  it('is whole: every number is tried here or has its test elsewhere', () => {
    const here = new Set(CORPUS.map((row) => row.id));
    const numbers = Array.from({ length: 94 }, (_, n) => `D${String(n + 1).padStart(2, '0')}`);
    expect(numbers.filter((id) => !here.has(id) && !(id in ELSEWHERE))).toEqual([]);
    expect(Object.keys(ELSEWHERE).filter((id) => here.has(id))).toEqual([]);
  });

  it.each(Object.entries(ELSEWHERE))('%s is where it says', (_, { file, words }) => {
    if (words !== null) expect(readFileSync(join(import.meta.dirname, '../..', file), 'utf8')).toContain(words);
  });

  it('lacks this one test, and no more', () => {
    const unwritten = Object.entries(ELSEWHERE).filter(([, { words }]) => words === null);
    expect(unwritten.map(([id]) => id)).toEqual(['D93']);
  });

  it('accepts what all its rows are changes of', () => {
    expect(parseTarget(VALID, policy)).toEqual({
      ok: true,
      target: { url: URL, commitId: COMMIT, relativePath: PATH },
    });
  });
});

describe('what the corpus says beyond the code', () => {
  const find = (id: string) => CORPUS.find((row) => row.id === id)?.inputs[0] as Buffer;

  it('D05 names all three members', () => {
    const { reason } = refusal(find('D05'));
    for (const name of ['url', 'commitId', 'relativePath']) expect(reason).toContain(name);
  });

  it('D11 costs less than 50 ms, and no nesting costs more', () => {
    const fastest = (bytes: Buffer) => Math.min(...[1, 2, 3].map(() => timed(() => verdict(bytes))));
    expect(fastest(find('D11'))).toBeLessThan(50);
    for (const open of ['[', '{"a":', '{']) {
      const bytes = Buffer.from(open.repeat(Math.floor(MAX_TARGET_BYTES / open.length)));
      expect(fastest(bytes)).toBeLessThan(50);
    }
  });

  it('D15 pollutes nothing', () => {
    refusal(find('D15'));
    expect(({} as Record<string, unknown>)['x']).toBeUndefined();
  });

  it('D38 and its kin show the secret to nobody', () => {
    const urls = [
      'https://u:c4nary@git.example.com/r',
      'https://c4nary@git.example.com/r',
      'https://u:a/c4nary@git.example.com/r',
      'https://u:c4nary@x@git.example.com/r',
      'https://u:c4nary <@git.example.com/r',
      'ssh://git:c4nary@git.example.com/r',
      'https://git.example.com/r?access_token=c4nary',
      'u:c4nary@git.example.com:r',
    ];
    for (const text of urls) {
      for (const name of ['url', 'commitId', 'relativePath', text]) {
        const bytes = Buffer.from(JSON.stringify({ ...JSON.parse(VALID.toString()), [name]: text }));
        expect(JSON.stringify(refusal(bytes))).not.toContain('c4nary');
      }
    }
    expect(JSON.stringify(refusal(Buffer.from('{"url":"https://u:c4nary@h/r" x}')))).not.toContain('c4nary');
  });

  it('D43 is rewritten, D44 is kept', () => {
    const url = (id: string) => {
      const parsed = parseTarget(find(id), policy);
      return parsed.ok && parsed.target.url;
    };
    expect(url('D43')).toBe('ssh://git@git.example.com/t/r.git');
    expect(url('D44')).toBe('ssh://git@git.example.com:2222/t/r.git');
  });

  it('D29 and D52 are legal where listed', () => {
    const target = (url: string) => Buffer.from(JSON.stringify({ url, commitId: COMMIT, relativePath: PATH }));
    const listed = { allow: ['file:///etc', 'https://169.254.169.254', 'https://[::1]', 'https://localhost'] };
    for (const url of ['file:///etc/r', 'https://169.254.169.254/r', 'https://[::1]:99/r', 'https://localhost/r']) {
      expect(parseTarget(target(url), listed).ok).toBe(true);
    }
    expect(parseTarget(target('file:///etcetera'), listed)).toMatchObject({ failure: { code: 'URL' } });
  });
});

describe('parseTarget under random bytes', () => {
  const name = `holds for seed ${SEED}`;
  const options = { seed: SEED, numRuns: 3_000 };

  /** Mostly valid targets with one thing changed: pure noise seldom gets past the first check. */
  const nearly = fc
    .record(
      {
        url: fc.oneof(
          { arbitrary: fc.constant(URL), weight: 6 },
          fc.webUrl(),
          fc.string(),
          fc.constantFrom(...seeds('url')),
        ),
        commitId: fc.oneof(
          { arbitrary: fc.constant(COMMIT), weight: 6 },
          fc.string(),
          fc.constantFrom(...seeds('commitId')),
        ),
        relativePath: fc.oneof(
          { arbitrary: fc.constant(PATH), weight: 6 },
          fc.string({ unit: 'binary' }),
          fc.constantFrom(...seeds('relativePath')),
        ),
        gitfleet: fc.oneof(
          fc.object(),
          fc.record({ deployment: fc.nat(), ref: fc.string({ unit: 'binary' }), message: fc.string() }),
          fc.record({ must: fc.array(fc.constantFrom('ref', 'policy', '__proto__', 'must')) }),
        ),
      },
      { requiredKeys: ['url', 'commitId', 'relativePath'] },
    )
    .map((value) => Buffer.from(JSON.stringify(value)));
  const torn = fc
    .tuple(nearly, fc.nat(), fc.uint8Array({ maxLength: 4 }))
    .map(([bytes, at, noise]) =>
      Buffer.concat([bytes.subarray(0, at % bytes.length), noise, bytes.subarray((at % bytes.length) + 1)]),
    );
  const noise = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
  const anything = fc.json().map((text) => Buffer.from(text));

  it(name, () => {
    let accepted = 0;
    fc.assert(
      fc.property(fc.oneof(nearly, torn, noise, anything), (bytes) => {
        const started = performance.now();
        const parsed = parseTarget(bytes, policy);
        expect(performance.now() - started).toBeLessThan(1_000);
        if (!parsed.ok) {
          expect(parsed.failure.reason).not.toBe('');
          return;
        }
        accepted++;
        expect(parseTarget(encodeTarget(parsed.target), policy)).toEqual(parsed);
      }),
      options,
    );
    expect(accepted).toBeGreaterThan(100);
  });

  function seeds(member: string): string[] {
    return CORPUS.flatMap((row) => row.inputs).flatMap((bytes) => {
      try {
        const value = (JSON.parse(bytes.toString()) as Record<string, unknown>)[member];
        return typeof value === 'string' && value.length < 3_000 ? [value] : [];
      } catch {
        return [];
      }
    });
  }
});
