/**
 * Where a reader is: the part of the address after `#`. Total: every address leads to a view, an unknown one to the
 * wall. A server's name is encoded, so that no name can lead elsewhere.
 */

export const VIEWS = ['servers', 'rollout', 'history', 'services', 'brakes', 'doctor'] as const;
export type ViewName = (typeof VIEWS)[number];

export interface Route {
  readonly view: ViewName;
  /** The one server to show; null: the view itself. */
  readonly server: string | null;
}

export const VIEW_TITLES: Readonly<Record<ViewName, string>> = {
  servers: 'Servers',
  rollout: 'Rollout',
  history: 'History',
  services: 'Services and flags',
  brakes: 'Hold and quarantine',
  doctor: 'Doctor',
};

export function parseRoute(hash: string): Route {
  const [name = '', server = ''] = hash.replace(/^#\/?/, '').split('/');
  const view = VIEWS.find((each) => each === name) ?? 'servers';
  return { view, server: view === 'servers' && server !== '' ? decoded(server) : null };
}

export const addressOf = (view: ViewName, server: string | null = null): string =>
  server === null ? `#/${view}` : `#/${view}/${encodeURIComponent(server)}`;

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}
