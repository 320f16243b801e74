import * as z from 'zod';
import { once } from '../../runtime/once.ts';
import { agentShape, flagsShape, historyShape, problemShape, rolloutAnswerShape, servicesShape } from './answers.ts';
import { actRecord, findingShape, flagShape, historyRecord, rolloutShape, serviceShape } from './parts.ts';
import { agentColumns, agentRow, aliveShape, deltaShape, snapshotShape, statusShape } from './shapes.ts';

interface PathRow {
  readonly summary: string;
  /** The name of its schema below `components`; for the stream, of its events. */
  readonly answer: string;
  readonly type?: 'text/event-stream';
  readonly parameters?: readonly object[];
  readonly refusals: readonly (keyof typeof REFUSALS)[];
}

const REFUSALS = {
  400: 'A parameter is wrong.',
  401: 'The token is missing or wrong.',
  403: 'A page of another origin asks.',
  404: 'There is no such agent.',
  421: 'The name that was asked is none of this server.',
  503: 'The fleet has not been read yet, or there are too many streams.',
} as const;
const ALWAYS = [401, 403, 421] as const;

/** The schemas of the document, by name. */
const SCHEMAS = {
  Status: statusShape,
  History: historyShape,
  Rollout: rolloutAnswerShape,
  Agent: agentShape,
  Services: servicesShape,
  Flags: flagsShape,
  Snapshot: snapshotShape,
  Delta: deltaShape,
  Alive: aliveShape,
  Problem: problemShape,
  AgentRow: agentRow,
  AgentColumns: agentColumns,
  Deployment: historyRecord,
  Act: actRecord,
  RolloutState: rolloutShape,
  ServiceCounts: serviceShape,
  FlagLine: flagShape,
  Finding: findingShape,
} as const;

const LIMIT = { name: 'limit', in: 'query', schema: { type: 'integer', minimum: 1, maximum: 200, default: 50 } };
const AGENT = { name: 'agentId', in: 'path', required: true, schema: { type: 'string' } };
const LAST = { name: 'Last-Event-ID', in: 'header', schema: { type: 'string' } };

const EVENTS =
  'A stream of events: snapshot (Snapshot), synced (Alive), delta (Delta) and, each second, alive (Alive). With' +
  ' Last-Event-ID it begins with the deltas that were missed, if they are known.';

/** Every path below /api/v1; a test compares them with the routes. */
export const API_PATHS: Readonly<Record<string, PathRow>> = {
  '/status': { summary: 'The state of the app, with a row for each agent', answer: 'Status', refusals: [503] },
  '/history': {
    summary: 'The newest deployments, and what people did besides',
    answer: 'History',
    parameters: [LIMIT],
    refusals: [400, 503],
  },
  '/rollout': { summary: 'The rollout of the current target', answer: 'Rollout', refusals: [503] },
  '/agents/{agentId}': {
    summary: 'All that one agent says',
    answer: 'Agent',
    parameters: [AGENT],
    refusals: [404, 503],
  },
  '/services': { summary: 'The services that its agents register', answer: 'Services', refusals: [503] },
  '/flags': { summary: 'The flags of the app', answer: 'Flags', refusals: [503] },
  '/events': {
    summary: EVENTS,
    answer: 'Snapshot',
    type: 'text/event-stream',
    parameters: [LAST],
    refusals: [503],
  },
};

/** The OpenAPI 3.1 document of the API, made from its shapes. */
export const openApi = once((): Record<string, unknown> => {
  return {
    openapi: '3.1.0',
    info: { title: 'gitfleet', version: '1', description: 'The state of one app of gitfleet. It is read only.' },
    servers: [{ url: '/api/v1' }],
    security: [{ token: [] }, {}],
    paths: Object.fromEntries(Object.entries(API_PATHS).map(([path, row]) => [path, { get: operationOf(path, row) }])),
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      schemas: componentSchemas(),
    },
  };
});

function operationOf(path: string, { summary, answer, type = undefined, parameters = [], refusals }: PathRow): object {
  const schema = { $ref: `#/components/schemas/${answer}` };
  const content = type === undefined ? { 'application/json': { schema } } : { [type]: { schema: { type: 'string' } } };
  const problem = { 'application/json': { schema: { $ref: '#/components/schemas/Problem' } } };
  return {
    operationId: `get${(path.split('/')[1] ?? '').replace(/^./, (first) => first.toUpperCase())}`,
    summary,
    parameters,
    responses: Object.fromEntries([
      ['200', { description: summary, content }],
      ...[...refusals, ...ALWAYS]
        .toSorted()
        .map((status) => [String(status), { description: REFUSALS[status], content: problem }]),
    ]),
  };
}

/** Shapes that another shape has as a whole are named once, so that a generated client has one type for each. */
function componentSchemas(): Record<string, unknown> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(SCHEMAS)) registry.add(schema, { id });
  const { schemas } = z.toJSONSchema(registry, {
    uri: (id) => `#/components/schemas/${id}`,
    io: 'output',
    unrepresentable: 'any',
  });
  return Object.fromEntries(
    Object.entries(schemas).map(([id, { $schema: _schema, $id: _id, ...schema }]) => [id, schema]),
  );
}
