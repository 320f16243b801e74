import processes from 'node:child_process';
import { syncBuiltinESMExports } from 'node:module';
import { afterAll, afterEach } from 'vitest';

/*
 * Set-up of the quick lane and of the simulation: starting a process throws an error instead. The test also fails if
 * the code under test handled that error like any other.
 */
const STARTING = ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'] as const;

/** Once per worker, which runs many files. */
const worker = globalThis as { processesAskedFor?: string[] };
if (!worker.processesAskedFor) {
  const asked: string[] = [];
  worker.processesAskedFor = asked;
  for (const name of STARTING) {
    const refuse = (program: unknown) => {
      const words = `it starts a process, ${name}(${JSON.stringify(program)}), and the quick lane starts none`;
      asked.push(words);
      throw new Error(words);
    };
    Object.assign(processes, { [name]: refuse });
  }
  syncBuiltinESMExports();
}

const WAY_OUT = "where a process is the point, import 'test/support/lanes/starts-processes.ts' in the test file";

function check(): void {
  const [first] = (worker.processesAskedFor ?? []).splice(0);
  if (first) throw new Error(`${first}: ${WAY_OUT}`);
}

afterEach(check);
afterAll(check);
