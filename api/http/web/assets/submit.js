// Submitting a job: a form made from the schema of the API, and what would happen to the job.
import { html, useEffect, useMemo, useState } from "./core.js";
import { get, idempotencyKey, post, usePoll } from "./api.js";
import { about, dollars, energy, seconds } from "./format.js";
import { Loading, maySubmit, say, warned } from "./ui.js";
import { Fields, document, resolved } from "./form.js";

// Kind, schema of the job, the same with a sweep, label, and the fields of the work that come first.
const KINDS = [
  ["cnn-train", "CnnTrainJob", "CnnTrainSweep", "Train", ["model", "dataset", "epochs", "learning_rate", "batch_size", "seed"]],
  ["cnn-infer", "CnnInferJob", null, "Classify", ["models", "data"]],
  ["command", "CommandJob", "CommandSweep", "Command", ["argv"]],
];
const MAIN = ["name", "project", "devices", "width", "priority", "deadline"];
const PLACED = ["kind", "work", "preference", "retry", "sweep", ...MAIN];
const RANGE = /^(uniform|log|integer|log_integer)\s+(\S+?)(?:\s+to\s+|\s*\.\.\s*|\s+)(\S+?)(?:\s+step\s+(\S+))?$/;

export function Submit({ session }) {
  const poll = usePoll((signal) => get("/openapi.json", { signal }), 0, "schema");
  const [kind, setKind] = useState("cnn-train");
  const chosen = KINDS.find(([name]) => name === kind);
  if (!maySubmit(session)) return html`<p class="empty">The token of ${session.user} is for viewing only.</p>`;
  return html`<section>
    <div class="head"><h1>Submit</h1><div class="chips" role="group" aria-label="Kind of job">${KINDS.map(([name, , , label]) => html`
      <button type="button" key=${name} aria-pressed=${kind === name} onClick=${() => setKind(name)}>${label}</button>`)}</div></div>
    <${Loading} poll=${poll} what="the form" />
    ${poll.data && html`<${Form} key=${kind} chosen=${chosen} schemas=${poll.data.components.schemas} />`}
  </section>`;
}

function Form({ chosen, schemas }) {
  const [kind, title, searched, , first] = chosen;
  const job = schemas[searched || title];
  const work = useMemo(() => resolved(job.properties.work, schemas), [kind]);
  const [values, setValues] = useState({});
  const [problem, setProblem] = useState(null);
  const [wish, setWish] = useState("");
  const [key, setKey] = useState(idempotencyKey);
  const [busy, setBusy] = useState(false);
  const body = { kind, ...document(values, job, schemas) };
  if (wish) body.preference = wish;
  if (body.array) body.array = values.array.trim();
  if (body.sweep) body.sweep = search(body.sweep);
  const text = JSON.stringify(body);
  const plan = usePlan(body, text);
  const problems = [...(problem ? problem.errors : []), ...(plan.error ? plan.error.errors : [])]
    .map((one) => ({ ...one, field: one.field.replace(/^jobs\.0\./, "") }));
  function change(name, value) {
    setValues((old) => ({ ...old, [name]: value }));
    setProblem(null);
    setKey(idempotencyKey()); // another job, not the same request again
  }
  async function send(event) {
    event.preventDefault();
    setBusy(true);
    try {
      if (body.sweep) {
        const sweep = await post("/v1/sweeps", body, { "Idempotency-Key": key });
        say(`Sweep ${sweep.id} is submitted.`);
        location.hash = `#/sweeps/${sweep.id}`;
        return;
      }
      const made = await submitted(body, key);
      for (const job of made) warned.set(job.id, job.warnings);
      const [first] = made;
      say(made.length > 1 ? `Jobs ${first.id} to ${made[made.length - 1].id} are submitted.` : `Job ${first.id} is submitted.`);
      location.hash = first.array ? `#/jobs?array=${first.array}` : `#/jobs/${first.id}`;
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  }
  const common = { schemas, values, change, problems };
  const others = Object.keys(job.properties).filter((name) => !PLACED.includes(name));
  return html`<form onSubmit=${send} data-kind=${kind} novalidate>
    <section class="card"><h2>${schemas[title].description}</h2>
      <${Fields} ...${common} schema=${work} names=${first} path="work." />
      <details><summary>More about the work</summary><${Fields} ...${common} schema=${work} path="work."
        names=${Object.keys(work.properties).filter((name) => !first.includes(name))} /></details></section>
    <section class="card"><h2>The job</h2><${Fields} ...${common} schema=${job} names=${MAIN} path="" />
      <details><summary>More about the job</summary><${Fields} ...${common} schema=${job} names=${[...others, "retry"]} path="" /></details></section>
    ${searched && html`<section class="card"><details><summary>Search hyper-parameters</summary>
      <p class="quiet">A sweep: each trial is this job with other values. One parameter a line: <code>work.learning_rate = log 1e-4 to 1e-1</code>, <code>work.batch_size = 32, 64</code>.
        Ranges are uniform, log, integer and log_integer.${kind === "command" && html` Any other name, such as <code>lr</code>, stands for <code>{lr}</code> in the arguments.`}</p>
      <${Fields} ...${common} schema=${resolved(job.properties.sweep, schemas)} path="sweep." /></details></section>`}
    <section class="card"><h2>What would happen${body.sweep ? " to one trial" : ""}</h2><${Plans} plan=${plan} wish=${wish} choose=${(name) => { setWish(name); setKey(idempotencyKey()); }} />
      ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
      <details><summary>The request as JSON</summary><pre>${JSON.stringify(body, null, 2)}</pre></details>
      <div class="buttons"><button class="primary" disabled=${busy}>Submit the ${body.sweep ? "sweep" : "job"}</button></div></section>
  </form>`;
}

// The sweep of the form: each parameter is a list of values or a range.
function search(sweep) {
  const number = (text) => (text.trim() !== "" && !isNaN(Number(text)) ? Number(text) : text.trim());
  const parameters = Object.entries(sweep.parameters || {}).map(([name, text]) => {
    const [, kind, low, high, step] = RANGE.exec(text.trim()) || [];
    return [name.trim(), kind ? { [kind]: [number(low), number(high)], ...(step ? { step: number(step) } : {}) }
      : text.split(",").map(number).filter((one) => one !== "")];
  });
  return { ...sweep, parameters: Object.fromEntries(parameters) };
}

// An array is a batch of its own.
async function submitted(body, key) {
  const header = { "Idempotency-Key": key };
  if (!body.array) return [await post("/v1/jobs", body, header)];
  return (await post("/v1/jobs:batch", { jobs: [body] }, header)).jobs;
}

// The plan for the job as it stands, asked half a second after the last change.
function usePlan(body, text) {
  const [plan, setPlan] = useState({ found: null, error: null });
  useEffect(() => {
    let over = false;
    const timer = setTimeout(async () => {
      try {
        const found = await post("/v1/jobs/plan", { ...body, preference: undefined, array: undefined, sweep: undefined });
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
