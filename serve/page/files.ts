import { readFileSync } from 'node:fs';

/**
 * The three files of the page, by path, for the server that serves them: read once, when it starts. They lie beside the
 * one script of the command line and not in it, so that no verb but this one pays for them at its start.
 * @param directory where scripts/make-page.mjs left them: `dist/page/`.
 */
export function pageFiles(directory: URL): ReadonlyMap<string, { readonly type: string; readonly body: Buffer }> {
  const read = (name: string, type: string) => ({
    type: `${type}; charset=utf-8`,
    body: readFileSync(new URL(name, directory)),
  });
  return new Map([
    ['/', read('index.html', 'text/html')],
    ['/page.js', read('page.js', 'text/javascript')],
    ['/page.css', read('page.css', 'text/css')],
  ]);
}
