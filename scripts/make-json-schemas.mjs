// Writes what the package exports for editors and for makers of clients (scripts/build.mjs): the JSON Schemas of settings,
// policy and target, and the OpenAPI document of `gitfleet serve`, each made from the schemas that the programs use.
import { mkdirSync, writeFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';

export async function makeJsonSchemas(dist, directory) {
  const { jsonSchemas } = await import(pathToFileURL(`${dist}/serve/api/json-schemas.js`).href);
  const { openApi } = await import(pathToFileURL(`${dist}/serve/api/openapi.js`).href);
  mkdirSync(directory);
  for (const [name, schema] of Object.entries({ ...jsonSchemas(), openapi: openApi() }))
    writeFileSync(`${directory}/${name}.json`, `${JSON.stringify(schema, null, 2)}\n`);
}
