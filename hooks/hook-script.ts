import { createHash } from 'node:crypto';
import { shellQuoted } from '../runtime/shell-word.ts';
import type { Gate } from './hook-settings.ts';

export type HookName = 'post-receive' | 'pre-receive';

/**
 * The directory, beside our hooks, that keeps earlier hooks under their own names, because some hooks check their name.
 */
export const EARLIER = 'before-gitfleet';

/** How we recognise our own hook files. */
const MARK = /^# gitfleet (?:post|pre)-receive hook/m;
const CHECKSUM = /^# checksum ([0-9a-f]{64})\n/m;

/** The content of a hook file: not ours, ours as written, or ours and edited since. */
export type HookText = 'foreign' | 'ours' | 'edited';

export function judgeHook(text: string): HookText {
  if (!MARK.test(text)) return 'foreign';
  const found = CHECKSUM.exec(text);
  if (!found) return 'ours';
  return checksum(text.slice(found.index + found[0].length)) === found[1] ? 'ours' : 'edited';
}

const checksum = (text: string): string => createHash('sha256').update(text).digest('hex');

/** How a hook starts this gitfleet: program and script as absolute paths, and the PATH on which it finds git. */
export type HookCommand = readonly [program: string, script: string, path: string];

/**
 * A shim, because git runs a file; the work is done by the command. First it runs the hook that was there before ours,
 * with the same input, arguments and environment. Then ours, with an environment of named variables only: otherwise a
 * pusher who works on this host could choose which git, or which libraries, the hook runs.
 * @param gate only for pre-receive: what happens without an answer.
 */
export function hookScript(name: HookName, command: HookCommand, gate: Gate = 'lenient'): string {
  const body = name === 'post-receive' ? postReceive(command) : preReceive(command, gate);
  return `#!/bin/sh
# gitfleet ${name} hook, made by "gitfleet hook install"; settings: git config --get-regexp '^gitfleet\\.'
# checksum ${checksum(body)}
${body}`;
}

/** Reads the push, with tools that we choose. The earlier hook gets the PATH of the push again. */
const prelude = (path: string): string => `repository=$(pwd)
pushed_path=$PATH
PATH=${shellQuoted(path)}
input=$(cat; echo .)
input=\${input%.}
earlier="\${0%/*}/${EARLIER}/\${0##*/}"
`;

const HAS_EARLIER = '[ -f "$earlier" ] && [ -x "$earlier" ]';
const RUN_EARLIER = `printf %s "$input" | PATH=$pushed_path "$earlier" "$@"`;

/**
 * The environment variables that our hook gets besides PATH: who pushes, the push options, the terminal's properties.
 */
const PASSED = [
  ...['GITFLEET_AUTHOR', 'GL_USERNAME', 'REMOTE_USER', 'SUDO_USER', 'GIT_PUSH_OPTION_COUNT'],
  ...['LANG', 'LC_ALL', 'TERM', 'NO_COLOR', 'FORCE_COLOR'],
];

/** The shell function `ours`, which runs a command with these variables and no other. */
const OURS = `ours() {
  for name in ${PASSED.join(' ')}; do
    eval "[ -z \\"\\\${$name+set}\\" ] || set -- \\"$name=\\$$name\\" \\"\\$@\\""
  done
  at=0
  while [ "$at" -lt "\${GIT_PUSH_OPTION_COUNT:-0}" ] 2>/dev/null && [ "$at" -lt 100 ]; do
    eval "set -- \\"GIT_PUSH_OPTION_$at=\\\${GIT_PUSH_OPTION_$at-}\\" \\"\\$@\\""
    at=$((at + 1))
  done
  exec /usr/bin/env -i "PATH=$PATH" "$@"
}
`;

/**
 * Our part cannot fail the push: the objects are in the repository by then, and a deployment's problem must not make
 * the push fail. The exit code is that of the earlier hook.
 */
const postReceive = ([program, script, path]: HookCommand): string => `
# If the pusher disconnects, what was received is deployed nevertheless. The earlier hook still gets the signals.
trap '' HUP INT PIPE
${prelude(path)}code=0
trap : HUP INT PIPE
if ${HAS_EARLIER}; then
  ${RUN_EARLIER}
  code=$?
fi

${OURS}trap '' HUP INT PIPE
deploy() {
  printf %s "$input" 2>/dev/null | ours ${shellQuoted(program)} ${shellQuoted(script)} hook post-receive --repository "$repository"
}
if [ -x ${shellQuoted(program)} ] && [ -f ${shellQuoted(script)} ]; then
  deploy
  # Node listens to signals again as it starts: ended by a Ctrl-C or hang-up before it could ignore that.
  case $? in 129 | 130) deploy ;; esac
else
  echo 'gitfleet: not deployed:' ${shellQuoted(program)} or ${shellQuoted(script)} 'is missing; run gitfleet hook install again' >&2
fi
exit $code
`;

/** 5 is the exit code of a refusal. With any other there is no answer. */
const preReceive = ([program, script, path]: HookCommand, gate: Gate): string => `
${prelude(path)}if ${HAS_EARLIER}; then
  ${RUN_EARLIER} || exit $?
fi

quarantine=$GIT_QUARANTINE_PATH
${OURS}if [ -x ${shellQuoted(program)} ] && [ -f ${shellQuoted(script)} ]; then
  printf %s "$input" | ours ${shellQuoted(program)} ${shellQuoted(script)} hook pre-receive --repository "$repository" --quarantine "$quarantine"
  case $? in
    0) exit 0 ;;
    5) exit 1 ;;
  esac
fi
echo 'gitfleet: the gate gave no answer; ${gate === 'strict' ? 'it is strict, so the push is refused' : 'the push is accepted'}' >&2
exit ${gate === 'strict' ? 1 : 0}
`;
