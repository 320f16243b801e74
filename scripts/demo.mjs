// npm run demo [-- --exit] [-- --no-setup]: set-up, then the demo of the built program.
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { setUp } from './setup.mjs';

const args = process.argv.slice(2);
setUp({ allowed: !args.includes('--no-setup') });
const main = fileURLToPath(new URL('../dist/cli/main.cjs', import.meta.url));
const rest = args.filter((arg) => arg !== '--no-setup');
const child = spawn(process.execPath, [main, 'demo', ...rest], { stdio: 'inherit' });
// Ctrl-C reaches the child directly; it stops its servers and then ends.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => signal === 'SIGTERM' && child.kill(signal));
child.on('exit', (code, signal) => process.exit(code ?? (signal ? 1 : 0)));
