import { render } from 'preact';
import type { AgentShape } from '../api/answers.ts';
import { createPage, type PageEdge } from './page.ts';
import { appView } from './views/app-view.ts';

/*
 * The page's edge: what the browser gives. Everything that decides lies in page.ts and model/. Nothing is stored but
 * the token, in this tab; no address contains it.
 */

const TOKEN = 'gitfleet-token';
const TICK_MS = 250;
const container = document.getElementById('page') as HTMLElement;

const edge: PageEdge = {
  fetch: (url, init) => fetch(url, init),
  sleep: (ms, signal) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener('abort', () => [clearTimeout(timer), resolve()], { once: true });
    }),
  random: () => Math.random(),
  clock: () => performance.now(),
  readToken: () => sessionStorage.getItem(TOKEN),
  keepToken: (token) => (token === null ? sessionStorage.removeItem(TOKEN) : sessionStorage.setItem(TOKEN, token)),
  readAgent: async (agentId, headers) => {
    const answer = await fetch(`api/v1/agents/${encodeURIComponent(agentId)}`, { headers, cache: 'no-store' });
    return answer.ok ? ((await answer.json()) as AgentShape) : null;
  },
  copy: copyText,
};

let isDue = false;
const page = createPage(edge, location.hash, () => {
  if (isDue) return;
  isDue = true;
  // A hidden tab has no frames, and its title still has to say what happens.
  if (document.hidden) setTimeout(draw, TICK_MS);
  else requestAnimationFrame(draw);
});

function draw(): void {
  isDue = false;
  const { state, title } = page.view();
  if (document.title !== title) document.title = title;
  render(appView(state, page.actions), container);
}

async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    // Only pages of https and of this machine have a clipboard.
    return false;
  }
}

window.addEventListener('hashchange', () => {
  page.goTo(location.hash);
  draw();
  (document.querySelector('h1') as HTMLElement | null)?.focus();
  window.scrollTo(0, 0);
});
setInterval(() => page.tick(), TICK_MS);
container.replaceChildren();
draw();
void page.run();
