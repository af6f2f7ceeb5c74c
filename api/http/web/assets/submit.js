// Submitting a job: a form made from the schema of the API, and what would happen to the job.
import { html, useEffect, useMemo, useState } from "./core.js";
import { get, idempotencyKey, post, usePoll } from "./api.js";
import { about, dollars, energy, seconds } from "./format.js";
import { Loading, maySubmit, say } from "./ui.js";
import { Fields, document, resolved } from "./form.js";

const KINDS = [
  ["cnn-train", "CnnTrainJob", "Train", ["model", "dataset", "epochs", "learning_rate", "batch_size", "seed"]],
  ["cnn-infer", "CnnInferJob", "Classify", ["models", "data"]],
  ["command", "CommandJob", "Command", ["argv"]],
];
const MAIN = ["name", "project", "devices", "width", "priority", "deadline"];
const PLACED = ["kind", "work", "preference", "retry", ...MAIN];

export function Submit({ session }) {
  const poll = usePoll((signal) => get("/openapi.json", { signal }), 0, "schema");
  const [kind, setKind] = useState("cnn-train");
  const chosen = KINDS.find(([name]) => name === kind);
  if (!maySubmit(session)) return html`<p class="empty">The token of ${session.user} is for viewing only.</p>`;
  return html`<section>
    <div class="head"><h1>Submit</h1><div class="chips" role="group" aria-label="Kind of job">${KINDS.map(([name, , label]) => html`
      <button type="button" key=${name} aria-pressed=${kind === name} onClick=${() => setKind(name)}>${label}</button>`)}</div></div>
    <${Loading} poll=${poll} what="the form" />
    ${poll.data && html`<${Form} key=${kind} chosen=${chosen} schemas=${poll.data.components.schemas} />`}
  </section>`;
}

function Form({ chosen, schemas }) {
  const [kind, title, , first] = chosen;
  const job = schemas[title];
  const work = useMemo(() => resolved(job.properties.work, schemas), [kind]);
  const [values, setValues] = useState({});
  const [problem, setProblem] = useState(null);
  const [wish, setWish] = useState("");
  const [key, setKey] = useState(idempotencyKey);
  const [busy, setBusy] = useState(false);
  const body = { kind, ...document(values, job, schemas) };
  if (wish) body.preference = wish;
  const text = JSON.stringify(body);
  const plan = usePlan(body, text);
  const problems = [...(problem ? problem.errors : []), ...(plan.error ? plan.error.errors : [])];
  function change(name, value) {
    setValues((old) => ({ ...old, [name]: value }));
    setProblem(null);
    setKey(idempotencyKey()); // another job, not the same request again
  }
  async function send(event) {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await post("/v1/jobs", body, { "Idempotency-Key": key });
      say(`Job ${made.id} is submitted.`);
      location.hash = `#/jobs/${made.id}`;
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  const common = { schemas, values, change, problems };
  const others = Object.keys(job.properties).filter((name) => !PLACED.includes(name));
  return html`<form onSubmit=${send} data-kind=${kind} novalidate>
    <section class="card"><h2>${job.description}</h2>
      <${Fields} ...${common} schema=${work} names=${first} path="work." />
      <details><summary>More about the work</summary><${Fields} ...${common} schema=${work} path="work."
        names=${Object.keys(work.properties).filter((name) => !first.includes(name))} /></details></section>
    <section class="card"><h2>The job</h2><${Fields} ...${common} schema=${job} names=${MAIN} path="" />
      <details><summary>More about the job</summary><${Fields} ...${common} schema=${job} names=${[...others, "retry"]} path="" /></details></section>
    <section class="card"><h2>What would happen</h2><${Plans} plan=${plan} wish=${wish} choose=${(name) => { setWish(name); setKey(idempotencyKey()); }} />
      ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
      <details><summary>The request as JSON</summary><pre>${JSON.stringify(body, null, 2)}</pre></details>
      <div class="buttons"><button class="primary" disabled=${busy}>Submit the job</button></div></section>
  </form>`;
}

// The plan for the job as it stands, asked half a second after the last change.
function usePlan(body, text) {
  const [plan, setPlan] = useState({ found: null, error: null });
  useEffect(() => {
    let over = false;
    const timer = setTimeout(async () => {
      try {
        const found = await post("/v1/jobs/plan", { ...body, preference: undefined });
        if (!over) setPlan({ found: found.outlooks, error: null });
      } catch (error) {
        if (!over) setPlan({ found: null, error });
      }
    }, 500);
    return () => { over = true; clearTimeout(timer); };
  }, [text]);
  return plan;
}

function Plans({ plan, wish, choose }) {
  if (plan.error) return html`<p class="note">${plan.error.status === 422 ? "No plan yet: " : ""}${plan.error.message}</p>`;
  if (!plan.found) return html`<p class="quiet">Asking for a plan …</p>`;
  return html`<div class="plans" role="radiogroup" aria-label="Preference">
    ${plan.found.map((one) => html`<label key=${one.preference}><input type="radio" name="plan" checked=${wish === one.preference} onChange=${() => choose(one.preference)} /> ${one.preference}
      <b>${one.wait_s === null ? "start not in sight" : `done in about ${about(one.wait_s + one.runtime_s)}`}</b>
      ${one.pool} × ${one.width}<br />
      ${one.wait_s === null ? "" : one.wait_s < 1 ? "starts now" : `waits ${about(one.wait_s)}${one.wait_low_s === null ? "" : ` (80 %: ${seconds(one.wait_low_s)} to ${one.wait_high_s === null ? "later" : seconds(one.wait_high_s)})`}`}, runs ${seconds(one.runtime_s)}<br />
      ${dollars(one.dollars)}, ${energy(one.joules)} <small>estimated from ${one.source}</small>
      ${one.meets_deadline === false && html`<span class="state failed">✕ misses the deadline</span>`}</label>`)}
    <label><input type="radio" name="plan" checked=${wish === ""} onChange=${() => choose("")} /> as the project
      <b>the usual</b>the preference of the project, else of the cluster</label></div>`;
}
