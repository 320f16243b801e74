import { closeSync, openSync } from 'node:fs';
import { afterEach, expect, it } from 'vitest';
import { openLiveScreen } from '../../cli/shell/screen.ts';

const fd = openSync('/dev/null', 'w');
afterEach(() => closeSync(fd));

it('a line stays one line whatever it holds, so that the next frame goes over all of the last', () => {
  let written = '';
  const stream = { fd, columns: 80, rows: 24, write: (text: string) => (written += text) };
  const screen = openLiveScreen(stream as unknown as NodeJS.WriteStream & { readonly fd: number });
  screen.draw(['\u001b[31mfailed\u001b[0m by ann\nweb-1: active', 'last\r\u001b[2A']);
  expect(written).toContain('\u001b[31mfailed\u001b[0m by ann\\nweb-1: active\u001b[K\n');
  expect(written).toContain('last\\r\\u001b[2A\u001b[K\n');
  written = '';
  screen.draw(['changed']);
  expect(written).toContain('\u001b[2A\r');
  screen.close();
});
