/** `superseded`: a newer target came first. `failure` also covers aborted, rolled back and timed out. */
export type ForgeState = 'running' | 'success' | 'failure' | 'superseded';

/** How one deployment is going, for a forge. */
export interface ForgeStatus {
  readonly commitId: string;
  /** The ref that was published, such as refs/heads/main; null: only the commit is known. */
  readonly ref: string | null;
  /** Names the deployment in all apps and for ever, as in `told/<sink>`. */
  readonly id: string;
  /** Which status of the commit this is: one for each app. */
  readonly context: string;
  readonly state: ForgeState;
  /** One line. */
  readonly description: string;
  /** The page of `gitfleet serve`; null: `serve.url` is not set. */
  readonly logUrl: string | null;
}

/** GitHub takes 140 characters, the others more. */
export const MAX_DESCRIPTION = 140;

export const shortened = (text: string, most = MAX_DESCRIPTION): string =>
  [...text].length <= most ? text : `${[...text].slice(0, most - 1).join('')}…`;
