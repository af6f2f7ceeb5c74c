// The frame of the page: who is signed in, the navigation, and the page that the address names.
import { html, render, useEffect, useState } from "./core.js";
import { get, request } from "./api.js";
import { Act, Notices, maySubmit } from "./ui.js";
import { SignIn } from "./signin.js";
import { Jobs } from "./jobs.js";
import { JobPage } from "./job.js";
import { Sweeps } from "./sweeps.js";
import { SweepPage } from "./sweep.js";
import { Cluster } from "./cluster.js";
import { Submit } from "./submit.js";
import { Policies } from "./policies.js";
import { Costs } from "./costs.js";

const PAGES = { jobs: Jobs, sweeps: Sweeps, cluster: Cluster, submit: Submit, policies: Policies, costs: Costs };
const NAMES = { jobs: "Jobs", sweeps: "Sweeps", cluster: "Cluster", submit: "Submit", policies: "Policies", costs: "Costs" };
// Pages of one thing, by its number.
const SINGLE = { jobs: ["Job", JobPage], sweeps: ["Sweep", SweepPage] };

// "#/jobs/17?x=1" → the page's name, what follows it, and its parameters.
function place() {
  const [path, parameters] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return { name: name || "jobs", rest, parameters: new URLSearchParams(parameters || "") };
}

function App() {
  const [session, setSession] = useState(null);
  const [at, setAt] = useState(place);
  useEffect(() => {
    get("/v1/session").then(setSession, (error) => setSession({ user: null, problem: error.message }));
    const moved = () => setAt(place());
    const left = () => setSession({ user: null, problem: "Your session has ended." });
    addEventListener("hashchange", moved);
    addEventListener("signed-out", left);
    return () => {
      removeEventListener("hashchange", moved);
      removeEventListener("signed-out", left);
    };
  }, []);
  if (!session) return html`<p class="quiet lone">Loading …</p>`;
  if (!session.user) return html`<${SignIn} problem=${session.problem} signedIn=${setSession} />`;
  const single = at.name in SINGLE && at.rest[0];
  const Page = single ? SINGLE[at.name][1] : PAGES[at.name] || Jobs;
  const shown = Object.keys(PAGES).filter((name) => name !== "submit" || maySubmit(session));
  document.title = `${single ? `${SINGLE[at.name][0]} ${at.rest[0]}` : NAMES[at.name] || "Jobs"} · Fulcrum`;
  async function signOut() {
    await request("DELETE", "/v1/session");
    setSession({ user: null });
  }
  return html`
    <a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <header class="top">
      <a class="brand" href="#/jobs"><img src="/assets/icon.svg" alt="" width="22" height="22" /> Fulcrum</a>
      <nav aria-label="Pages">${shown.map((name) => html`<a key=${name} href="#/${name}"
        aria-current=${at.name === name ? "page" : undefined}>${NAMES[name]}</a>`)}</nav>
      <span class="who" title="role: ${session.role}">${session.user} <small>${session.role}</small></span>
      <${Act} label="Sign out" kind="plain" run=${signOut} />
    </header>
    <main id="main" tabindex="-1" key=${`${at.name}/${at.rest.join("/")}`}>
      <${Page} session=${session} id=${single} parameters=${at.parameters} />
    </main>
    <${Notices} />`;
}

render(html`<${App} />`, document.getElementById("app"));
