import { createHash } from 'node:crypto';
import { shellQuoted } from '../runtime/shell-word.ts';
import type { Gate } from './hook-settings.ts';

export type HookName = 'post-receive' | 'pre-receive';

/** Where a hook that was there before ours is kept, beside ours and under its own name, since some ask for their name. */
export const EARLIER = 'before-gitfleet';

/** How we know our own hook files again. */
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

/**
 * A shim, because git runs a file; what it does is in the command. First comes the hook that was there before ours, with
 * the same input, arguments and environment. Then ours, without what the pusher's environment could change about it.
 * @param command how to start this gitfleet: program and script, absolute.
 * @param gate only of pre-receive: what happens where no answer can be had.
 */
export function hookScript(name: HookName, command: readonly [string, string], gate: Gate = 'lenient'): string {
  const body = name === 'post-receive' ? postReceive(command) : preReceive(command, gate);
  return `#!/bin/sh
# gitfleet ${name} hook, made by "gitfleet hook install"; settings: git config --get-regexp '^gitfleet\\.'
# checksum ${checksum(body)}
${body}`;
}

const PRELUDE = `repository=$(pwd)
input=$(cat; echo .)
input=\${input%.}
earlier="\${0%/*}/${EARLIER}/\${0##*/}"
`;

/** Git's own variables name the repository in its words, Node's would change how ours runs. */
const OWN_ENVIRONMENT = `unset GIT_DIR GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
unset NODE_OPTIONS NODE_PATH NODE_EXTRA_CA_CERTS NODE_TLS_REJECT_UNAUTHORIZED NODE_DEBUG NODE_V8_COVERAGE
unset SSL_CERT_FILE SSL_CERT_DIR OPENSSL_CONF
`;

/**
 * Ours exits 0 whatever happens: the objects are in the repository by then, and a deployment's trouble is no reason to
 * call a push failed.
 */
const postReceive = ([program, script]: readonly [string, string]): string => `
# If the pusher disconnects, what was received is deployed nevertheless. The earlier hook still gets the signals.
trap '' HUP INT PIPE
${PRELUDE}code=0
trap : HUP INT PIPE
if [ -f "$earlier" ] && [ -x "$earlier" ]; then
  printf %s "$input" | "$earlier" "$@"
  code=$?
fi

${OWN_ENVIRONMENT}unset GIT_QUARANTINE_PATH
trap '' HUP INT PIPE
deploy() {
  printf %s "$input" 2>/dev/null | ${shellQuoted(program)} ${shellQuoted(script)} hook post-receive --repository "$repository"
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

/** 5 is the exit code of a refusal; with any other there is no answer. */
const preReceive = ([program, script]: readonly [string, string], gate: Gate): string => `
${PRELUDE}if [ -f "$earlier" ] && [ -x "$earlier" ]; then
  printf %s "$input" | "$earlier" "$@" || exit $?
fi

quarantine=$GIT_QUARANTINE_PATH
${OWN_ENVIRONMENT}unset GIT_QUARANTINE_PATH
if [ -x ${shellQuoted(program)} ] && [ -f ${shellQuoted(script)} ]; then
  printf %s "$input" | ${shellQuoted(program)} ${shellQuoted(script)} hook pre-receive --repository "$repository" --quarantine "$quarantine"
  case $? in
    0) exit 0 ;;
    5) exit 1 ;;
  esac
fi
echo 'gitfleet: the gate gave no answer; ${gate === 'strict' ? 'it is strict, so the push is refused' : 'the push is accepted'}' >&2
exit ${gate === 'strict' ? 1 : 0}
`;
