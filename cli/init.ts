import { initApp } from '../fleet/app.ts';
import { znodes } from '../schemas/znodes.ts';
import { EXIT } from './exit-codes.ts';
import type { Call } from './program.ts';
import { readSettings } from './read-settings.ts';
import { say, usage } from './terminal.ts';
import { withSession } from './with-session.ts';

/** `gitfleet init --open`: makes what an app needs; there already is fine. */
export async function run({ options }: Call): Promise<number> {
  const settings = await readSettings(options);
  if (options['open'] !== true) {
    throw usage(
      'init needs --open: access rights (ACLs) are not built yet',
      'on a trial ZooKeeper: gitfleet init --open; whoever reaches that ZooKeeper can then deploy',
    );
  }
  return await withSession(settings, async (session) => {
    const result = await initApp(session, znodes(settings.app));
    if (options['json']) say(JSON.stringify(result));
    else {
      say(`${settings.app}: ${result.made.length} znodes made, ${result.present.length} were there already`);
      say('open: whoever reaches this ZooKeeper can deploy', 'next: gitfleet agent run, then gitfleet publish');
    }
    return EXIT.converged;
  });
}
