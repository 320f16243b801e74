import { type CommandTable, example, shared } from './command-table.ts';
import { holdSignals } from './shell/signals.ts';

/** The server: a page and an API for people and programs that watch. */
export function serveVerb({ root, verb }: CommandTable): void {
  example(
    shared(
      verb(root, 'serve', 'show the fleet on a page, and to programs', () => {
        holdSignals();
        return import('./serve/serve.ts');
      }),
    )
      .description(
        'Serves a page of the fleet and an API until it is ended (docs/serve.md). It only reads: with the credential' +
          ' server.auth it can write nothing that a deployment depends on.',
      )
      .option('--listen <address>', 'a port of loopback, or an address with a port; default 127.0.0.1:9181')
      .option('--token-file <file>', 'the token that clients must present; required beyond loopback'),
    'gitfleet serve -z zk1:2181,zk2:2181,zk3:2181 --auth-file /etc/gitfleet/server.auth',
    'gitfleet serve --listen 10.0.0.5:9181 --token-file /etc/gitfleet/serve.token',
  );
}
