// The agent as `gitfleet agent run` composes it, with failpoints: FAILPOINT=name[:n] ends the process by SIGKILL at the
// n-th time that the name is reached. FAILPOINT_LOG names a file that gets a line per name reached.
import { appendFileSync } from 'node:fs';
import { run } from '../../../dist/cli/daemon/run.js';
import { program } from '../../../dist/cli/program.js';

const [wanted, nth = '1'] = (process.env.FAILPOINT ?? '').split(':');
const log = process.env.FAILPOINT_LOG;
delete process.env.FAILPOINT;
delete process.env.FAILPOINT_LOG;
let reached = 0;

/** @param {string} name */
function failpoint(name) {
  if (log) appendFileSync(log, `${name}\n`);
  if (name !== wanted) return;
  reached += 1;
  if (reached === Number(nth)) process.kill(process.pid, 'SIGKILL');
}

process.exitCode = await program(process.argv.slice(2), { 'agent run': (call) => run(call, failpoint) });
