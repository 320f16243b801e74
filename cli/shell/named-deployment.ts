import { usage } from './terminal.ts';

/** `d-12` as a person types it; null where nothing was typed. @throws FleetError USAGE */
export function namedDeployment(word: string | undefined): number | null {
  if (word === undefined) return null;
  const number = Number(/^d-([1-9]\d{0,14})$/.exec(word)?.[1]);
  if (Number.isSafeInteger(number)) return number;
  throw usage(`${JSON.stringify(word.slice(0, 60))} is no deployment`, 'such as d-12; gitfleet history shows them');
}
