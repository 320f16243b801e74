import { type DestinationStream, type Logger, pino } from 'pino';
import { logLinesTo } from './log-lines.ts';
import { clean } from './safe-text.ts';

export type { Logger };

/**
 * The log of a program: JSON lines, or text for a terminal, in which every string and every error message has passed
 * `clean`. A log call never throws, whatever it is given and wherever the lines go: what cannot be written is dropped
 * and counted (log-lines.ts).
 */
export function createLog(settings: LogSettings, destination?: DestinationStream): Logger {
  const { level, bindings = {} } = settings;
  if (level === 'silent') return SILENT;
  const { shown } = settings;
  const note = (lost: number, code: string) => noteOf(bindings, lost, code);
  const lines = logLinesTo(STDOUT, (lost, code) => (shown ? shown(note(lost, code)).trimEnd() : note(lost, code)));
  const to = destination ?? lines;
  const options = {
    level,
    base: bindings,
    timestamp: () => `,"time":"${timeNow()}"`,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => cleanFields(fields),
    },
    hooks: {
      logMethod(this: Logger, args: Parameters<Logger['info']>, method: Logger['info']) {
        try {
          method.apply(this, args.map((arg) => (typeof arg === 'string' ? clean(arg) : arg)) as typeof args);
        } catch (error) {
          lines.lose(error);
        }
      },
    },
  };
  return pino(options, shown ? { write: (line) => to.write(shown(line)) } : to);
}

interface LogSettings {
  level: string;
  /** Bound to every line, such as the agent's id. */
  bindings?: Record<string, unknown>;
  /** Makes of a line of JSON what is written, such as text for a person (agent/service/log-text.ts). */
  shown?: (line: string) => string;
}

const STDOUT = 1;
const timeNow = () => new Date().toISOString();

function noteOf(bindings: Record<string, unknown>, lost: number, code: string): string {
  const msg = `${lost} log ${lost === 1 ? 'line was' : 'lines were'} lost: the log could not be written (${code})`;
  return JSON.stringify({ level: 'warn', time: timeNow(), ...bindings, lost, code, msg });
}

const nothing = () => {};
/** Most commands have this in place of a log, and so need not load one. */
const SILENT = {
  level: 'silent',
  trace: nothing,
  debug: nothing,
  info: nothing,
  warn: nothing,
  error: nothing,
  fatal: nothing,
  child: () => SILENT,
} as unknown as Logger;

function cleanFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, cleanValue(value, 0)]));
}

/** The depth is bounded because a field may contain anything, even an error with a cyclic cause. */
function cleanValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return clean(value);
  if (typeof value === 'bigint') return value.toString();
  if (value instanceof Error) return { name: value.name, message: clean(value.message), code: codeOf(value) };
  if (value === null || typeof value !== 'object') return value;
  if (depth >= 4) return '[deeper]';
  if (Array.isArray(value)) return value.map((item) => cleanValue(item, depth + 1));
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, cleanValue(item, depth + 1)]));
}

function codeOf(error: Error): string | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === 'string' ? code : undefined;
}
