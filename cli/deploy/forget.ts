import { forgetAgent } from '../../fleet/forget.ts';
import { forgottenLines } from '../../publisher/screens/brake-lines.ts';
import type { ForgetOutput } from '../../schemas/json-output.ts';
import { znodes } from '../../schemas/znodes.ts';
import type { Call } from '../command-table.ts';
import { asOperator } from '../shell/access.ts';
import { EXIT } from '../shell/exit-codes.ts';
import { withSession } from '../shell/session.ts';
import { readSettings } from '../shell/settings.ts';
import { say, sayJson } from '../shell/terminal.ts';
import { agentUnknown } from './operands.ts';

/** `gitfleet forget AGENT`. */
export async function run({ options, words }: Call): Promise<number> {
  const agentId = String(words[0]);
  const settings = await readSettings(options);
  return await withSession(settings, async (session) => {
    const paths = znodes(settings.app);
    const forgotten = await asOperator('to forget an agent', forgetAgent(session, paths, agentId));
    if (!forgotten) throw await agentUnknown(session, paths, agentId);
    if (options['json']) sayJson({ agentId, forgotten: true } satisfies ForgetOutput);
    else say(...forgottenLines(agentId));
    return EXIT.converged;
  });
}
