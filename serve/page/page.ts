import type { AgentShape } from '../api/answers.ts';
import type { Alive, Delta, Snapshot } from '../api/shapes.ts';
import { ageOf, type Heard, NOTHING_HEARD } from './model/freshness.ts';
import { newsBetween } from './model/news.ts';
import type { PageActions, PageState } from './model/page-state.ts';
import { type PagePicture, pictureOf, withDelta } from './model/picture.ts';
import { parseRoute, type Route } from './model/routes.ts';
import { tabTitle } from './model/summary.ts';
import type { StreamEvent } from './stream/event-parser.ts';
import { bearer, followEvents, type StreamEdge } from './stream/follow-events.ts';

/**
 * The page without a browser: follows the stream, keeps the picture and what was heard, and says when something is to
 * be drawn. Guarantee: one picture and one list of news at a time, so a page that is open for months holds what a new
 * one holds.
 */

export interface PageEdge extends StreamEdge {
  /** Ms by a monotonic clock. */
  clock(): number;
  readToken(): string | null;
  keepToken(token: string | null): void;
  /** Null: nothing is known of it. */
  readAgent(agentId: string, headers: Record<string, string>): Promise<AgentShape | null>;
  /** False: the browser refuses. */
  copy(text: string): Promise<boolean>;
}

export interface Page {
  view(): { readonly state: PageState; readonly title: string };
  readonly actions: PageActions;
  goTo(hash: string): void;
  /** Called four times a second: ages grow, and silence becomes staleness. Draws only what differs to a reader. */
  tick(): void;
  /** Follows the stream until the page is closed. */
  run(): Promise<void>;
}

/** News stay this long for those who hear the page. */
const NEWS_MS = 5_000;

export function createPage(edge: PageEdge, hash: string, changed: () => void): Page {
  let route: Route = parseRoute(hash);
  let last = route.server;
  let picture: PagePicture | null = null;
  let heard: Heard = NOTHING_HEARD;
  let news: { readonly words: readonly string[]; readonly at: number } = { words: [], at: 0 };
  let details: AgentShape | null = null;
  let trouble: string | null = null;
  let wanted: PageState['token'] = 'none';
  let stop = new AbortController();
  /** The second and the freshness of the last tick. */
  let drawn: string | null = null;

  const tell = (words: readonly string[]) => {
    if (words.length > 0) news = { words, at: edge.clock() };
  };
  const show = (next: PagePicture) => {
    const before = picture;
    picture = next;
    if (before) tell(newsBetween(before, next));
    if (route.server && before?.agents.get(route.server) !== next.agents.get(route.server)) void readDetails();
  };
  const readDetails = async () => {
    const agentId = route.server;
    if (agentId === null) return;
    const answer = await edge.readAgent(agentId, bearer(edge.readToken())).catch(() => null);
    if (answer === null || route.server !== agentId) return;
    details = answer;
    changed();
  };
  const take = ({ name, data }: StreamEvent) => {
    if (name !== 'snapshot' && name !== 'delta' && name !== 'alive') return;
    const message = JSON.parse(data) as Snapshot | Delta | Alive;
    const { stale } = message.zookeeper;
    heard = { ...heard, ensemble: { now: message.now, at: edge.clock() }, zookeeper: stale, asOf: message.asOf };
    if (name === 'snapshot') show(pictureOf(message as Snapshot));
    else if (name === 'delta' && picture) show(withDelta(picture, message as Delta));
  };
  const listener = {
    event(event: StreamEvent) {
      take(event);
      trouble = null;
      changed();
    },
    heard() {
      heard = { ...heard, at: edge.clock(), lost: null };
    },
    lost(reason: string) {
      heard = { ...heard, lost: reason };
      trouble = reason;
      changed();
    },
  };

  return {
    view() {
      const age = ageOf(heard, edge.clock());
      const state = { route, picture, age, token: wanted, trouble, news: news.words, details, last };
      return { state, title: tabTitle(picture, age?.stale != null) };
    },
    actions: {
      copy(text) {
        void edge.copy(text).then((done) => {
          tell([done ? `copied: ${text}` : 'this browser lets no page copy here: select the text']);
          changed();
        });
      },
      giveToken(token) {
        edge.keepToken(token);
        wanted = 'none';
        stop.abort();
        changed();
      },
    },
    goTo(next) {
      route = parseRoute(next);
      if (route.server === null) return;
      last = route.server;
      if (details?.agent.agentId !== route.server) details = null;
      void readDetails();
    },
    tick() {
      const age = ageOf(heard, edge.clock());
      const isOld = news.words.length > 0 && edge.clock() - news.at > NEWS_MS;
      if (isOld) news = { words: [], at: 0 };
      const face = age && `${Math.floor(age.now / 1_000)} ${age.stale !== null}`;
      if (isOld || face !== drawn) changed();
      drawn = face;
    },
    async run() {
      for (;;) {
        const token = edge.readToken();
        const end = await followEvents('api/v1/events', token, listener, edge, stop.signal);
        if (end === 'token') {
          if (token !== null) edge.keepToken(null);
          wanted = token === null ? 'wanted' : 'refused';
          changed();
          await given(stop.signal);
        }
        stop = new AbortController();
      }
    },
  };
}

/** Until a person has given a token. */
const given = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
