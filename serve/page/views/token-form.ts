import type { VNode } from 'preact';
import { html } from './html.ts';

/** Asks for the token. The value goes into a header of requests to this server, never into an address. */
export function tokenForm(wasRefused: boolean, give: (token: string) => void): VNode {
  const sent = (event: Event) => {
    event.preventDefault();
    const field = (event.currentTarget as HTMLFormElement).querySelector('input');
    const token = field?.value.trim() ?? '';
    if (token !== '') give(token);
  };
  return html`<section class="card token" aria-labelledby="token">
    <h1 id="token" tabindex="-1">This fleet is for those who have the token</h1>
    ${wasRefused && html`<p class="state bad" role="alert">The token was refused.</p>`}
    <form onSubmit=${sent}>
      <label>
        Token
        <input type="password" autocomplete="off" spellcheck=${false} required aria-describedby="token-kept" />
      </label>
      <p id="token-kept" class="quiet">It is in the file that the setting serve.tokenFile names. This tab keeps it until it is closed.</p>
      <button type="submit">Show the fleet</button>
    </form>
  </section>`;
}
