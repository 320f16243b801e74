import type { Code } from '../../runtime/codes.ts';
import { FleetError } from '../../runtime/errors.ts';
import { isCode } from '../../zookeeper/errors.ts';

/** What must not compile; `npm run types` says so when it does. */
export function misspelt(error: FleetError): unknown[] {
  const text: string = 'HOLD';
  return [
    // @ts-expect-error no code
    new FleetError({ code: 'NO_ATUH', reason: '' }),
    // @ts-expect-error no code
    FleetError.of('NO_ATUH', ''),
    // @ts-expect-error what was read is text until it is taken for a failure of ours
    FleetError.of(text, ''),
    // @ts-expect-error no code
    isCode(error, 'BAD_VERSION', 'NO_ATUH'),
    // @ts-expect-error no code, so never equal
    error.code === 'NO_ATUH',
    // @ts-expect-error no code
    'NO_ATUH' satisfies Code,
  ];
}
