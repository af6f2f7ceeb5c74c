// What can be done to a job: the buttons, and only those that the service would not refuse.
import { html, useState } from "./core.js";
import { idempotencyKey, patch, post } from "./api.js";
import { preference } from "./format.js";
import { Act, Confirm, Dialog, FINAL, jobTitle, mayChange, say } from "./ui.js";

export function JobActions({ job, session, changed }) {
  const [open, setOpen] = useState(null);
  const [key, setKey] = useState(idempotencyKey);
  if (!mayChange(session, job)) return null;
  const close = () => setOpen(null);
  // What the service would refuse to preempt: work that could not go on.
  const preemptible = job.state === "RUNNING" && (job.kind === "cnn-train" || job.work.resumable);
  async function retry() {
    const made = await post(`/v1/jobs/${job.id}/retry`, undefined, { "Idempotency-Key": key });
    setKey(idempotencyKey());
    say(`Job ${made.id} repeats job ${job.id}.`);
    changed();
  }
  if (FINAL.includes(job.state)) {
    return html`<span class="actions"><${Act} label="Retry" title="Retry job ${job.id}" run=${retry} /></span>`;
  }
  return html`<span class="actions">
    ${job.state === "QUEUED" && html`<button type="button" aria-label="Change job ${job.id}"
      onClick=${() => setOpen("change")}>Change</button>`}
    ${preemptible && html`<button type="button" aria-label="Preempt job ${job.id}"
      onClick=${() => setOpen("preempt")}>Preempt</button>`}
    ${job.state !== "CANCELLING" && html`<button type="button" class="danger"
      aria-label="Cancel job ${job.id}" onClick=${() => setOpen("cancel")}>Cancel</button>`}
    ${open === "cancel" && html`<${Confirm} title="Cancel job ${job.id}?" label="Cancel the job" danger
      close=${close} done="Job ${job.id} is being cancelled."
      run=${async () => { await post(`/v1/jobs/${job.id}/cancel`, {}); changed(); }}>
      <p><b>${jobTitle(job)}</b> ${job.state === "QUEUED" ? "leaves the queue." : "is stopped; its work since the last checkpoint is lost."}</p>
    </${Confirm}>`}
    ${open === "preempt" && html`<${Confirm} title="Preempt job ${job.id}?" label="Preempt the job"
      close=${close} done="Job ${job.id} saves its work and queues again."
      run=${async () => { await post(`/v1/jobs/${job.id}/preempt`, {}); changed(); }}>
      <p>It saves its work, frees its devices and queues again with its progress.</p>
    </${Confirm}>`}
    ${open === "change" && html`<${Change} job=${job} close=${close} changed=${changed} />`}
  </span>`;
}

// All live jobs of an array; the service passes over those of other users.
export function CancelArray({ array, changed }) {
  const [open, setOpen] = useState(false);
  async function cancel() {
    const { count } = await post("/v1/jobs:cancel", { array: Number(array) });
    say(`${count} of the array's jobs are being cancelled.`);
    changed();
  }
  return html`<button type="button" class="danger" onClick=${() => setOpen(true)}>Cancel all of array ${array}</button>
    ${open && html`<${Confirm} title="Cancel array ${array}?" label="Cancel the array" danger close=${() => setOpen(false)} run=${cancel}>
      <p>All of its jobs that wait or run are cancelled.</p></${Confirm}>`}`;
}

function Change({ job, close, changed }) {
  const [priority, setPriority] = useState(String(job.priority));
  const [wish, setWish] = useState(preference(job.preference));
  const [deadline, setDeadline] = useState("");
  const [problem, setProblem] = useState(null);
  async function save(event) {
    event.preventDefault();
    const body = { priority: Number(priority), preference: preferenceValue(wish) };
    if (deadline.trim()) body.deadline = deadline.trim();
    try {
      await patch(`/v1/jobs/${job.id}`, body);
      say(`Job ${job.id} is changed.`);
      changed();
      close();
    } catch (error) {
      setProblem(error);
    }
  }
  return html`<${Dialog} title="Change job ${job.id}" close=${close}>
    <form onSubmit=${save}>
      <label>Priority <small>0 (whenever) … 100 (first)</small>
        <input type="number" min="0" max="100" required value=${priority}
          onInput=${(event) => setPriority(event.target.value)} /></label>
      <${PreferenceField} value=${wish} change=${setWish} none="the project's, else the cluster's" />
      <label>Deadline <small>${job.deadline ? "empty: as it is" : "empty: none"}; such as +30m or 2030-01-31T18:00:00Z</small>
        <input value=${deadline} onInput=${(event) => setDeadline(event.target.value)} /></label>
      ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
      <div class="buttons"><button type="button" onClick=${close}>Back</button>
        <button class="primary">Save</button></div>
    </form>
  </${Dialog}>`;
}

// Text of a preference as the API takes it: a name, a number, or null for none.
export function preferenceValue(text) {
  const given = text.trim();
  if (!given) return null;
  return isNaN(Number(given)) ? given : Number(given);
}

export function PreferenceField({ value, change, none }) {
  const list = `preferences-${Math.random()}`;
  return html`<label>Preference <small>cheap, balanced, fast, or 0 (cheap) … 1 (fast)${none && `; empty: ${none}`}</small>
    <input list=${list} value=${value} onInput=${(event) => change(event.target.value)} />
    <datalist id=${list}><option value="cheap" /><option value="balanced" /><option value="fast" /></datalist>
  </label>`;
}
