import { access, constants, stat } from 'node:fs/promises';
import { get } from 'node:http';
import { dirname } from 'node:path';
import { systemClock as clock } from '../../runtime/clock.ts';
import { createLog } from '../../runtime/log.ts';
import { openTokenFile } from '../../runtime/secrets/token-file.ts';
import type { ServeSettings } from '../../schemas/settings/serve-settings.ts';
import { pageDirectory } from '../packaging-files.ts';
import { type Finding, failed, fromError, ok, warning } from './finding.ts';

const ANSWER_MS = 2_000;

/** For a machine whose settings say something about `gitfleet serve`: its files, its socket, and whether it answers. */
export async function checkServe(serve: ServeSettings): Promise<Finding[]> {
  const found = await Promise.all([checkToken(serve), checkSocket(serve), checkPage(), checkAnswer(serve)]);
  return found.filter((each) => each !== null);
}

async function checkToken({ tokenFile }: ServeSettings): Promise<Finding | null> {
  if (tokenFile === undefined) return null;
  const log = createLog({ level: 'silent' });
  return await openTokenFile(tokenFile, { clock, log }).then(
    () => ok('token', `${tokenFile} holds a token, and others cannot read it`),
    (error: unknown) => fromError('token', error),
  );
}

async function checkSocket({ socket, userHeader }: ServeSettings): Promise<Finding | null> {
  if (socket === undefined) return null;
  const directory = dirname(socket);
  const says = userHeader === undefined ? '' : `; its proxy names users in ${userHeader}`;
  const [found, writable] = await Promise.all([
    stat(directory).catch(() => null),
    access(directory, constants.W_OK).then(
      () => true,
      () => false,
    ),
  ]);
  if (found === null)
    return warning('socket', `${directory} is not there`, 'the unit gitfleet-serve makes it when it starts');
  if ((found.mode & 0o007) !== 0 && userHeader !== undefined)
    return failed('socket', `every user of this machine may name users through ${socket}`, `chmod o= ${directory}`);
  return writable
    ? ok('socket', `${socket}${says}`)
    : warning('socket', `${directory} belongs to another user`, 'run doctor as the user of the server');
}

async function checkPage(): Promise<Finding> {
  const there = await stat(new URL('index.html', pageDirectory())).catch(() => null);
  if (there) return ok('page', 'the files of the page are there');
  return failed(
    'page',
    'the files of the page are missing',
    'install the whole package again; in a clone: npm run build',
  );
}

/** Whether it runs is no fault: doctor may look before it is started. */
function checkAnswer({ listen: { host, port } }: ServeSettings): Promise<Finding> {
  const where = `${host}:${port}`;
  return new Promise((resolve) => {
    const asked = get({ host, port, path: '/healthz', timeout: ANSWER_MS }, (answer) => {
      answer.resume();
      const isOurs = answer.headers['content-security-policy'] !== undefined && answer.statusCode === 200;
      if (isOurs) resolve(ok('serve', `answers at ${where}`));
      else resolve(failed('serve', `another program answers at ${where}`, 'give serve.listen another port'));
    });
    asked.on('timeout', () => asked.destroy());
    asked.on('error', () =>
      resolve(
        warning('serve', `nothing answers at ${where}`, 'start it: systemctl start gitfleet-serve, or gitfleet serve'),
      ),
    );
  });
}
