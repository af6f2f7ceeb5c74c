// Small parts that several pages use.
import { html, useEffect, useRef, useState } from "./core.js";
import { about, percent, seconds, since, time, now } from "./format.js";

export const FINAL = ["SUCCEEDED", "FAILED", "CANCELLED"];
export const ACTIVE = ["STARTING", "RUNNING", "PREEMPTING", "CANCELLING"];
// A sign beside the word and the colour: nothing depends on colour alone.
const SIGNS = {
  QUEUED: "◷", STARTING: "◔", RUNNING: "▶", PREEMPTING: "⏸", PREEMPTED: "⏸", CANCELLING: "◼",
  SUCCEEDED: "✓", FAILED: "✕", CANCELLED: "–", COMPLETED: "✓", PRUNED: "◁",
};

export function State({ state }) {
  return html`<span class="state ${state.toLowerCase()}">
    <span aria-hidden="true">${SIGNS[state] || "·"}</span> ${state.toLowerCase()}</span>`;
}

export const mayChange = (session, job) =>
  session.role === "admin" || (session.role === "user" && session.user === job.user);
export const maySubmit = (session) => session.role !== "viewer";
export const jobTitle = (job) => job.name || `job ${job.id}`;
// What the service said when a job was submitted here: job → sentences. It tells them only then.
export const warned = new Map();

// How a state of loading is shown; null once there is data.
export function Loading({ poll, what = "" }) {
  if (poll.error) return html`<p class="problem" role="alert">${poll.error.message}</p>`;
  return poll.data ? null : html`<p class="quiet">Loading${what && ` ${what}`} …</p>`;
}

// A sentence about an action, gone after a while.
export function say(text, bad = false) {
  dispatchEvent(new CustomEvent("said", { detail: { text, bad } }));
}

export function Notices() {
  const [found, setFound] = useState([]);
  useEffect(() => {
    const hear = (event) => {
      const one = { ...event.detail, id: Math.random() };
      setFound((all) => [...all.slice(-2), one]);
      setTimeout(() => setFound((all) => all.filter((other) => other !== one)), 6000);
    };
    addEventListener("said", hear);
    return () => removeEventListener("said", hear);
  }, []);
  return html`<div class="notices" role="status" aria-live="polite">
    ${found.map((one) => html`<p key=${one.id} class=${one.bad ? "bad" : ""}>${one.text}</p>`)}
  </div>`;
}

// A button that does something on the service, and says so.
export function Act({ label, title, run, done, kind = "", disabled }) {
  const [busy, setBusy] = useState(false);
  async function click() {
    setBusy(true);
    try {
      const told = await run();
      if (told !== false && done) say(done);
    } catch (error) {
      say(error.message, true);
    }
    setBusy(false);
  }
  return html`<button type="button" class=${kind} title=${title} aria-label=${title}
    disabled=${busy || disabled} onClick=${click}>${label}</button>`;
}

// A modal dialog; the browser's own element keeps the focus inside and closes on Escape.
export function Dialog({ title, close, children }) {
  const box = useRef(null);
  useEffect(() => {
    box.current.showModal();
    return () => box.current && box.current.close();
  }, []);
  return html`<dialog ref=${box} onClose=${close} aria-label=${title}>
    <h2>${title}</h2>${children}
  </dialog>`;
}

export function Confirm({ title, children, label, run, done, close, danger }) {
  return html`<${Dialog} title=${title} close=${close}>
    ${children}
    <div class="buttons">
      <button type="button" onClick=${close}>Back</button>
      <${Act} label=${label} kind=${danger ? "danger" : "primary"} done=${done}
        run=${async () => { await run(); close(); }} />
    </div>
  </${Dialog}>`;
}

export function Bar({ share, label }) {
  return html`<span class="bar" role="progressbar" aria-valuemin="0" aria-valuemax="100"
    aria-valuenow=${Math.round(share * 100)} aria-label=${label}>
    <span style=${{ width: `${Math.max(0, Math.min(1, share)) * 100}%` }}></span></span>`;
}

export function Figure({ label, children }) {
  return html`<div class="figure"><dt>${label}</dt><dd>${children}</dd></div>`;
}

// What a job's line says about time: how long it waits, runs or ran.
export function Timing({ job, waiting }) {
  if (job.state === "QUEUED") {
    const waited = `waits ${seconds(since(job.submitted_at))}`;
    if (!waiting) return html`<span>${waited}</span>`;
    const left = time(waiting.start) - now();
    const late = job.deadline ? time(waiting.end) - time(job.deadline) : 0;
    return html`<span><b>#${waiting.position}</b> starts ${left > 1 ? `in about ${about(left)}` : "now"}
      <small> ${waiting.pool} × ${waiting.width}</small>
      ${late > 0 && html`<small class="late">⚠ ends ${about(late)} after its deadline</small>`}</span>`;
  }
  if (FINAL.includes(job.state)) {
    return html`<span>${job.ran_s ? `ran ${seconds(job.ran_s)}` : "did not run"}</span>`;
  }
  const run = job.running;
  if (!run) return html`<span>${job.started_at ? seconds(since(job.started_at)) : "starts"}</span>`;
  const ran = since(job.started_at);
  const share = run.fraction ?? Math.min(0.99, ran / (ran + run.left_s));
  const parts = [run.fraction !== null && percent(Math.floor(100 * run.fraction) / 100, 0),
    run.epoch && `epoch ${run.epoch}/${run.epochs}`, run.batches && `batch ${run.batch}/${run.batches}`];
  return html`<span><${Bar} share=${share} label="progress of job ${job.id}" />
    about ${about(run.left_s)} left<small> ${parts.filter(Boolean).join(", ")}</small></span>`;
}
