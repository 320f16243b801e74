/**
 * The corpus of bad targets, as data: every row of D01 to D94 is either here or, where it takes git, a file system or a
 * server to try it, in ELSEWHERE with the test that holds it. `A` accepts, any other word is the code of the refusal.
 */
interface Row {
  readonly id: string;
  readonly expected: string;
  readonly inputs: readonly Buffer[];
}

export const URL = 'https://git.example.com/t/r.git';
export const COMMIT = 'a'.repeat(40);
export const PATH = 'apps/web';

/** The list that the corpus is judged by; `https://h` because many rows name the host `h`. */
export const ALLOW = ['https://git.example.com', 'https://h', 'ssh://git.example.com'];

/** The test file and words of the test's name; no words: nobody wrote that test yet. */
export const ELSEWHERE: Readonly<Record<string, { readonly file: string; readonly words: string | null }>> = {
  D60: { file: 'test/git/servers.test.ts', words: 'a redirect' },
  D70: { file: 'test/git/store.test.ts', words: 'refuses ids of tags, trees and blobs' },
  D71: { file: 'test/git/store.test.ts', words: 'says so when the commit is not there' },
  D72: { file: 'test/git/store.test.ts', words: 'refuses to mix hashes' },
  D73: { file: 'test/git/store.test.ts', words: 'a branch that is named like a commit' },
  D74: { file: 'test/scenarios/agent/refused-target.test.ts', words: 'D74: a commit that refs/replace maps away' },
  D88: { file: 'test/agent/disk/layout.test.ts', words: 'D88' },
  D89: { file: 'test/agent/disk/layout.test.ts', words: 'D89' },
  D90: { file: 'test/agent/disk/layout.test.ts', words: 'D90' },
  D91: { file: 'test/agent/disk/layout.test.ts', words: 'D91' },
  D92: { file: 'test/agent/disk/layout.test.ts', words: 'D92' },
  D93: { file: 'test/agent/disk/layout.test.ts', words: null },
};

const json = (value: unknown) => Buffer.from(JSON.stringify(value));
const valid = { url: URL, commitId: COMMIT, relativePath: PATH };
export const VALID = json(valid);

const raw = (id: string, expected: string, ...inputs: (string | Buffer)[]): Row => ({
  id,
  expected,
  inputs: inputs.map((input) => (typeof input === 'string' ? Buffer.from(input) : input)),
});

const member = (name: keyof typeof valid) => {
  return (id: string, expected: string, ...values: unknown[]): Row => ({
    id,
    expected,
    inputs: values.map((value) => json({ ...valid, [name]: value })),
  });
};
const url = member('url');
const commit = member('commitId');
const path = member('relativePath');

/** The valid object with `text` put in front of its members. */
const withMember = (text: string) => `{${text},${VALID.toString().slice(1)}`;

export const CORPUS: readonly Row[] = [
  raw('D01', 'EMPTY', ''),
  raw('D02', 'JSON', '\x00\x00'),
  raw('D03', 'JSON', '{', '{}}', '{} x'),
  raw('D04', 'SHAPE', 'null', '[]', '"x"', '42', 'true'),
  raw('D05', 'SHAPE', '{}'),
  raw('D06', 'ENCODING', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), VALID])),
  raw(
    'D07',
    'ENCODING',
    Buffer.from(VALID.toString(), 'utf16le'),
    Buffer.concat([Buffer.from([0xff, 0xfe]), Buffer.from(VALID.toString(), 'utf16le')]),
  ),
  raw(
    'D08',
    'ENCODING',
    Buffer.concat([Buffer.from('{"url":"'), Buffer.from([0xff, 0xfe, 0xc0, 0xaf]), Buffer.from('"}')]),
  ),
  raw('D09', 'SIZE', `${VALID.toString()}${' '.repeat(16 * 1024 + 1 - VALID.length)}`),
  raw('D10', 'SIZE', `${' '.repeat(1024 * 1024)}${VALID.toString()}`),
  raw('D11', 'SHAPE', '['.repeat(7_000) + ']'.repeat(7_000)),
  raw(
    'D12',
    'SHAPE',
    `{${Array.from({ length: 1_000 }, (_, n) => `"k${n}":1`).join(',')},${VALID.toString().slice(1)}`,
    `{${Array.from({ length: 60 }, (_, n) => `"\u202e${n}${'x'.repeat(200)}":1`).join(',')}}`,
  ),
  raw('D13', 'DUPLICATE', withMember('"url":"https://git.example.com/evil"')),
  raw('D14', 'DUPLICATE', withMember('"\\u0075rl":"https://git.example.com/evil"')),
  raw('D15', 'SHAPE', withMember('"__proto__":{"x":1}')),
  raw('D16', 'SHAPE', withMember('"constructor":{"prototype":{"p":1}}')),
  raw('D17', 'SHAPE', withMember('"z":1')),
  raw(
    'D18',
    'SHAPE',
    JSON.stringify({ URL, commitId: COMMIT, relativePath: PATH }),
    JSON.stringify({ url: URL, commitID: COMMIT, relativePath: PATH }),
    JSON.stringify({ url: URL, commitId: COMMIT, relative_path: PATH }),
  ),
  raw(
    'D19',
    'JSON',
    `/* x */${VALID.toString()}`,
    VALID.toString().replace('}', ',}'),
    VALID.toString().replaceAll('"', "'"),
    withMember('"z":NaN'),
  ),
  raw(
    'D20',
    'A',
    `${VALID.toString()}\n`,
    JSON.stringify(valid, null, 2),
    `${JSON.stringify(valid, null, 2).replaceAll('\n', '\r\n')}\r\n`,
  ),
  raw('D21', 'SHAPE', JSON.stringify({ commitId: COMMIT, relativePath: PATH })),
  url('D21', 'SHAPE', null, 1, ['https://h/r'], { toString: 1 }),
  url('D22', 'URL', '', ' '),
  url('D23', 'URL', 'ext::sh -c id'),
  url('D24', 'URL', 'fd::17'),
  url('D25', 'URL', 'foo::https://h/r'),
  url('D26', 'URL', 'transport::address'),
  url('D27', 'URL', '--upload-pack=touch /x', '--upload-pack=touch'),
  url('D28', 'URL', '-u', '-c', '--'),
  url('D29', 'URL', 'file:///etc'),
  url('D30', 'URL', '/srv/r', './r', '../r', 'r', '~/r', 'bundle.pack'),
  url('D31', 'URL', 'C:\\r', '\\\\srv\\share\\r', 'c:\\r', 'C:/r'),
  url('D32', 'SCHEME', 'git://h/r', 'http://h/r', 'ftp://h/r', 'rsync://h/r'),
  url('D33', 'SCHEME', 'javascript:alert(1)', 'data:,x'),
  url('D34', 'URL', 'HTTPS://git.example.com/r'),
  url('D35', 'URL', 'https:git.example.com/r', 'https:/git.example.com/r'),
  url('D36', 'URL', 'https://good.com\\@evil.com/r'),
  url('D37', 'CREDENTIALS', 'https://good.com@evil.com/r'),
  url('D38', 'CREDENTIALS', 'https://u:p@git.example.com/r'),
  url('D39', 'CREDENTIALS', 'https://:tok@h/r', 'https://tok@h/r', 'https://u%3Ap@h/r', 'https://@h/r'),
  url('D40', 'URL', 'ssh://-oProxyCommand=x/y'),
  url('D41', 'URL', 'ssh://git@-h/r', '-oX=y@h:r', 'git@h:-r', 'git@-h:r', 'ssh://git@h/-r'),
  url('D42', 'CREDENTIALS', 'ssh://git:pw@h/r', 'ssh://-l@h/r'),
  url('D43', 'A', 'git@git.example.com:t/r.git'),
  url('D44', 'A', 'ssh://git@git.example.com:2222/t/r.git'),
  url('D45', 'URL', 'https://h/r\n', 'ht\ntps://h/r', '\thttps://h/r'),
  url('D46', 'URL', 'https://h/r\r\nHost: x', 'https://h/%0aX', 'https://h/%0d'),
  url('D47', 'URL', 'https://h/\u0000', 'https://h/%00'),
  url('D48', 'URL', 'https://h/a/../b', 'https://h/%2e%2e/b', 'https://h/a%2fb', 'https://h/%', 'ssh://h/a/../b'),
  url('D49', 'URL', 'https://\uff41.com/r', 'https://ex\u00e4mple.com/r'),
  url('D50', 'URL', 'https://h/\u202egpj.r', 'https://h/a\u200bb'),
  url('D51', 'URL', 'https://127.1/r', 'https://0x7f.1/r', 'https://2130706433/r', 'ssh://127.1/r', 'ssh://0x7f.1/r'),
  url(
    'D52',
    'HOST',
    'https://169.254.169.254/r',
    'https://[::1]/r',
    'https://localhost/r',
    'https://127.0.0.1/r',
    'https://127.8.9.10:8443/r',
    'ssh://git@localhost/r',
    'git@localhost:r',
    'https://a.localhost/r',
    'https://[fe80::1]/r',
    'https://[::ffff:7f00:1]/r',
    'https://[::ffff:a9fe:a9fe]/r',
    'https://0.0.0.0/r',
    'https://[::]/r',
  ),
  url('D53', 'URL', 'https://h/r?x=1', 'https://h/r#f'),
  url('D54', 'URL', 'https://h:0/r', 'https://h:99999/r', 'https://h:443/r', 'https://h:/r', 'https://h:08443/r'),
  url('D55', 'URL', 'https://.h/r', 'https://h./r', 'https://h..x/r', 'https:///r', 'https://', 'https://h.-x/r'),
  url(
    'D56',
    'URL',
    'https://h/$(id)',
    'https://h/`id`',
    'https://h/r;id',
    'https://h/r&x',
    'https://h/"',
    'https://h/\'"',
  ),
  url('D57', 'URL', 'https://h/-x/r', 'https://h/r/--upload-pack', 'https://h/%2dx'),
  url('D57b', 'URL', 'https://h/o%27neil', 'https://h/r%28x%29', "https://h'/r", 'https://h(1)/r'),
  url('D58', 'URL', `https://h/${'r'.repeat(2_049 - 10)}`),
  url('D59', 'NOT_ALLOWED', 'https://git.example.com.evil.com/t/r', 'https://git.example.co/t/r', 'ssh://git@h/r'),
  commit('D61', 'SHAPE', '', null, 7),
  raw('D61', 'SHAPE', VALID.toString().replace(`"${COMMIT}"`, '1e39')),
  commit('D62', 'COMMIT', 'HEAD', 'main', 'v1.0', 'refs/heads/main', '@{-1}'),
  commit('D63', 'COMMIT', ...[7, 39, 41, 63, 65].map((n) => 'a'.repeat(n))),
  commit('D64', 'COMMIT', 'A'.repeat(40), `${'a'.repeat(39)}B`),
  commit('D65', 'COMMIT', '0'.repeat(40), '0'.repeat(64)),
  commit('D66', 'COMMIT', `${COMMIT}\n`, ` ${COMMIT}`, `${COMMIT}\u0000`, `${COMMIT}\n${COMMIT}`),
  commit('D67', 'COMMIT', ...['^', '~1', '^{tree}', ':f'].map((tail) => COMMIT + tail), `..${COMMIT}`),
  commit('D68', 'COMMIT', '--exec=x', '-', `+${COMMIT}`, `${COMMIT}:refs/heads/main`),
  commit('D69', 'COMMIT', '\uff11'.repeat(40), '\u0661'.repeat(40)),
  path('D75', 'PATH', '', '.', './', '/'),
  path('D76', 'PATH', '..', '../x', 'a/../../x', 'a/..', 'a/../b'),
  path('D77', 'PATH', '/etc', '//etc', '~', '~root/x'),
  path('D78', 'PATH', 'a//b', 'a/', 'a/./b', './a'),
  path('D79', 'PATH', '..\\x', 'a\\b', 'C:\\x', 'C:x', '\\\\?\\C:\\x'),
  path('D80', 'PATH', 'a\u0000b', 'a\nb', 'a\tb', 'a\u001b[2J', 'a\n'),
  path('D81', 'PATH', '\ud800', 'e\u0301', '\uff0e\uff0e/x', '.\u200b./x', '\u202ex'),
  path('D82', 'PATH', '%2e%2e/x', '..%2fx', '%00'),
  path('D83', 'PATH', ' a', 'a ', 'a.', '-rf', '--help', 'a b'),
  path('D84', 'PATH', '.git', 'a/.git/hooks', '.GIT', 'git~1', '.git::$DATA', '.gitfleet/x'),
  path('D85', 'PATH', ...Object.getOwnPropertyNames(Object.prototype)),
  path('D85', 'PATH', 'con', 'nul.txt', 'aux/x', 'a:b', 'a*', 'a?', 'a/COM1', 'lpt9.log'),
  path('D86', 'PATH', 'abcdefg/'.repeat(32).slice(0, 256), 'a'.repeat(101), 'a/'.repeat(16).concat('a')),
  path('D86', 'SIZE', 'a'.repeat(1_000_000)),
  path('D87', 'PATH', '$HOME/x', '$'.concat('{X}'), '$(id)', '`id`', 'a;b', 'a&b', 'a>b'),
  path('D94', 'SHAPE', ['a'], {}, 0, true),
];
