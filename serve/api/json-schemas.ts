import * as z from 'zod';
import { policy } from '../../schemas/policy.ts';
import { settings } from '../../schemas/settings/settings.ts';

/** A JSON Schema as editors take it. */
export type JsonSchema = Readonly<Record<string, unknown>>;

/** A target as other ZooKeeper clients write it: the whole contract, in the words of JSON Schema. */
const target = z.strictObject({
  url: z.string().max(2_048),
  commitId: z.string().regex(/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/),
  relativePath: z.string().max(1_000),
  /** What gitfleet adds. Other clients leave it out. */
  gitfleet: z.looseObject({}).optional(),
});

/**
 * For editors, by name: they complete and check while a person writes. What a schema cannot say, such as two settings that
 * need each other, is said by the program that reads the file.
 */
export function jsonSchemas(): Readonly<Record<'settings' | 'policy' | 'target', JsonSchema>> {
  return {
    settings: schemaOf(settings(), 'Settings of gitfleet: gitfleet.yml'),
    policy: schemaOf(policy(), 'A policy of gitfleet: gitfleet policy set FILE'),
    target: schemaOf(target, 'A target of gitfleet: the content of config'),
  };
}

function schemaOf(schema: z.ZodType, title: string): JsonSchema {
  const made = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => allow(jsonSchema),
  });
  return { ...made, title };
}

/** A value may also come from a flag or a variable, so a file need not have it. */
function allow(schema: { required?: string[]; properties?: object }): void {
  const elsewhere = ['connect', 'id', 'zookeeper', 'agent'];
  const required = schema.required?.filter((name) => !elsewhere.includes(name)) ?? [];
  if (required.length > 0) schema.required = required;
  else delete schema.required;
}
