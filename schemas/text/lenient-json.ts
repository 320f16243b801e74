import type * as z from 'zod';

/**
 * Reads what another gitfleet wrote: unknown members are dropped. Null: not readable as this (foreign bytes, a version
 * too different). Never throws: one odd node must not hide a fleet.
 */
export function fromJson<T extends z.ZodType>(schema: T, data: Buffer): z.infer<T> | null {
  try {
    const parsed = schema.safeParse(JSON.parse(data.toString('utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Writers parse their own output, so that they write nothing that our own readers would refuse. */
export function toJson<T extends z.ZodType>(schema: T, value: z.infer<T>): Buffer {
  return Buffer.from(JSON.stringify(schema.parse(value)));
}
