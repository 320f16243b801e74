import { visible } from '../../runtime/safe-text.ts';

/**
 * A log line for a person at a terminal: time of day (UTC), level, message, then the other members of the JSON line.
 * One line stays one line, and control characters are escaped. A line that is not JSON is returned as it is.
 */
export function logText(line: string): string {
  const fields = parsed(line);
  if (fields === null) return line;
  const { time, level, msg, err, agentId: _own, ...more } = fields;
  const words = [
    visible(String(time ?? ''), 40).slice(11, 19),
    visible(String(level ?? ''), 10)
      .toUpperCase()
      .padEnd(5),
    visible(String(msg ?? ''), MAX),
    ...Object.entries(more).map(([key, value]) => `${visible(key, 100)}=${valueText(value)}`),
    ...(err === undefined ? [] : [errorText(err)]),
  ];
  return `${words.filter((word) => word !== '').join(' ')}\n`;
}

const MAX = 2_000;

function parsed(line: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(line);
    return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : null;
  } catch {
    return null;
  }
}

/** A plain word is shown as it is. Text with blanks, quotes or `=`, and any other value, is shown as JSON. */
function valueText(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"'=]+$/.test(value)) return visible(value, MAX);
  return visible(JSON.stringify(value), MAX);
}

/** An error by its code and message; anything else that was logged as one, as any other value. */
function errorText(err: unknown): string {
  const { code, message } = Object(err) as { readonly code?: unknown; readonly message?: unknown };
  const words = [code, message].filter((word) => word !== undefined).map((word) => visible(String(word), MAX));
  return `(${words.length > 0 ? words.join(': ') : valueText(err)})`;
}
