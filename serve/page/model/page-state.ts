import type { AgentShape } from '../../api/answers.ts';
import type { Age } from './freshness.ts';
import type { PagePicture } from './picture.ts';
import type { Route } from './routes.ts';

/** What the page is drawn from: the same state gives the same page. */
export interface PageState {
  readonly route: Route;
  readonly picture: PagePicture | null;
  /** Null: nothing was heard yet. */
  readonly age: Age | null;
  /** Whether the server wants a token, and whether it refused one. */
  readonly token: 'none' | 'wanted' | 'refused';
  /** Why there is nothing to show yet; null: the first attempt is on its way. */
  readonly trouble: string | null;
  readonly news: readonly string[];
  readonly details: AgentShape | null;
  /** The server that was opened last. */
  readonly last: string | null;
}

export interface PageActions {
  copy(text: string): void;
  giveToken(token: string): void;
}
