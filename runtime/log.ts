import { type DestinationStream, type Logger, pino } from 'pino';
import { clean } from './safe-text.ts';

export type { Logger };

interface LogSettings {
  level: string;
  /** Bound to every line, such as the agent's id. */
  bindings?: Record<string, unknown>;
}

/** JSON lines; strings of every line and of error messages pass `clean`. */
export function createLog(settings: LogSettings, destination?: DestinationStream): Logger {
  if (settings.level === 'silent') return SILENT;
  const options = {
    level: settings.level,
    base: settings.bindings ?? {},
    timestamp: () => `,"time":"${new Date().toISOString()}"`,
    formatters: {
      level: (label: string) => ({ level: label }),
      log: (fields: Record<string, unknown>) => cleanFields(fields),
    },
    hooks: {
      logMethod(this: Logger, args: Parameters<Logger['info']>, method: Logger['info']) {
        return method.apply(this, args.map((arg) => (typeof arg === 'string' ? clean(arg) : arg)) as typeof args);
      },
    },
  };
  return destination ? pino(options, destination) : pino(options);
}

const nothing = () => {};
/** What most commands have in the place of a log: they need not load one. */
const SILENT = {
  ...{ level: 'silent', trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing, fatal: nothing },
  child: () => SILENT,
} as unknown as Logger;

function cleanFields(fields: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, cleanValue(value, 0)]));
}

/** The depth is bounded because a field may hold anything, an error with a cyclic cause included. */
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
