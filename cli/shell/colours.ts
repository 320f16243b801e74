import { styleText } from 'node:util';
import { plain, type Theme, type Tone } from '../../publisher/screens/columns.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Whether output may have colours: on a terminal that is not dumb, unless NO_COLOR is set. FORCE_COLOR overrides both,
 * also with `0` and `false`, as in Node itself (node:tty, getColorDepth).
 */
export function coloursWanted(environment: Environment, isTerminal: boolean): boolean {
  const { FORCE_COLOR: forced, NO_COLOR: none } = environment;
  if (forced !== undefined && forced !== '') return forced !== '0' && forced !== 'false';
  if (none !== undefined && none !== '') return false;
  return isTerminal && redraws(environment, isTerminal);
}

/** Whether the cursor may be moved. */
export const redraws = (environment: Environment, isTerminal: boolean): boolean =>
  isTerminal && environment['TERM'] !== 'dumb';

const COLOURS = { good: 'green', bad: 'red', busy: 'yellow', faint: 'dim', strong: 'bold' } as const satisfies Record<
  Tone,
  string
>;

const colourful: Theme = (tone, text) => styleText(COLOURS[tone], text, { validateStream: false });

export const painter = (wanted: boolean): Theme => (wanted ? colourful : plain);
