import type { CodeRows } from './row.ts';

/** Flags and values of an app. */
export const flagCodes = () =>
  ({
    FLAGS_MISSING: {
      next: 'stall',
      about: 'request',
      means: 'The app was made before there were flags, so it has no znode for them.',
      hint: 'an operator adds what is missing and changes nothing else: gitfleet init --credentials DIR',
    },
    FLAGS_UNREADABLE: {
      next: 'stall',
      about: 'coordination',
      means: 'The flags znode holds something that is no flag document. Programs keep the last flags that they read.',
      hint: 'put back what was there: gitfleet flag history shows the changes; empty is also readable',
    },
    FLAGS_FULL: {
      next: 'stall',
      about: 'request',
      means: 'The flags of the app, or one of them, would become larger than allowed.',
      hint: 'remove flags that no program asks for any more: gitfleet flag remove NAME',
    },
    FLAG_MISSING: {
      next: 'stall',
      about: 'request',
      means: 'The app has no flag of this name.',
      hint: 'see the flags: gitfleet flag list',
    },
    FLAG_VARIANT: {
      next: 'stall',
      about: 'request',
      means: 'The flag has no variant of this name.',
      hint: 'see its variants: gitfleet flag get NAME',
    },
    FLAG_RULE: {
      next: 'stall',
      about: 'request',
      means: 'The flag has a targeting rule that this version does not know. It can be switched off, and not edited.',
      hint: 'switch it off: gitfleet flag set NAME off; or change it with the program that wrote the rule',
    },
    FLAG_CHANGED: {
      next: 'stall',
      about: 'request',
      means: 'The flag was changed again after the change that should be taken back.',
      hint: 'see the changes: gitfleet flag history; take back the newest one first, or set the flag',
    },
    FLAGS_PLAIN_TAKEN: {
      next: 'stall',
      about: 'request',
      means: 'A directory of plain flags belongs to one app, and an app has one directory.',
      hint: 'choose another directory for these flags',
    },
    VALUE_MISSING: {
      next: 'stall',
      about: 'request',
      means: 'There is no znode at this path.',
      hint: 'see what is there: gitfleet kv ls PATH',
    },
    VALUE_EXISTS: {
      next: 'stall',
      about: 'request',
      means: 'The znode exists, and another program may own it.',
      hint: 'read it, then name the version that you read: gitfleet kv put PATH VALUE --if-version N; or give --force',
    },
    VALUE_CHANGED: {
      next: 'stall',
      about: 'request',
      means: 'The znode has another version than the one given: somebody changed it.',
      hint: 'read it again: gitfleet kv get PATH --json',
    },
  }) as const satisfies CodeRows;
