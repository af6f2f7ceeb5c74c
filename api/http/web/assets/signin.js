// Signing in: the token is sent once, in the body, and kept nowhere in the page.
import { html, useState } from "./core.js";
import { post } from "./api.js";

export function SignIn({ problem, signedIn }) {
  const [told, setTold] = useState(problem);
  const [busy, setBusy] = useState(false);
  async function send(event) {
    event.preventDefault();
    const field = event.target.elements.token;
    setBusy(true);
    try {
      const session = await post("/v1/session", { token: field.value.trim() });
      field.value = "";
      signedIn(session);
    } catch (error) {
      setTold(error.status === 401 ? "This token is not valid." : error.message);
      setBusy(false);
    }
  }
  return html`<main class="signin"><form onSubmit=${send}>
    <h1><img src="/assets/icon.svg" alt="" width="36" height="36" /> Fulcrum</h1>
    <input class="hidden" name="username" autocomplete="username" value="fulcrum" tabindex="-1" aria-hidden="true" />
    <label>Token
      <input name="token" type="password" autocomplete="current-password" required autofocus
        spellcheck=${false} /></label>
    ${told && html`<p class="problem" role="alert">${told}</p>`}
    <button class="primary" disabled=${busy}>Sign in</button>
    <p class="quiet">The service made the first token in the file <code>token</code> of its data
      folder. <code>fulcrum token create USER --role ROLE</code> makes further ones.</p>
  </form></main>`;
}
