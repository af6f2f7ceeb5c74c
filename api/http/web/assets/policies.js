// Who decides and why, how it did against the heuristics, and who else could.
import { html, useState } from "./core.js";
import { get, post, put, request, usePoll } from "./api.js";
import { clock, count, percent, preference } from "./format.js";
import { Act, Confirm, Figure, Loading, State } from "./ui.js";
import { PreferenceField, preferenceValue } from "./actions.js";
import { Evaluation, FitResult } from "./evaluation.js";

export function Policies({ session }) {
  const poll = usePoll((signal) => get("/v1/policies", { signal }), 5, "policies");
  const [open, setOpen] = useState(null);
  const admin = session.role === "admin";
  const found = poll.data;
  return html`<section><div class="head"><h1>Policies</h1></div>
    <${Loading} poll=${poll} what="policies" />
    ${found && html`<${Active} active=${found.active} admin=${admin} changed=${poll.reload} />
      <div class="grid"><${Preferences} admin=${admin} changed=${poll.reload} />
        <${Shadow} shadow=${found.active.shadow} policies=${found.policies} admin=${admin} changed=${poll.reload} /></div>
      <${PolicyJobs} />
      <section class="card"><h2>All policies</h2><div class="scroll"><table><tbody>${ordered(found.policies).map((one) => html`<${Policy} key=${one.name}
        policy=${one} admin=${admin} open=${open === one.name} toggle=${() => setOpen(open === one.name ? null : one.name)}
        changed=${poll.reload} />`)}</tbody></table></div></section>`}
  </section>`;
}

// The one that decides first, then learned and tuned ones, then the others by name.
function ordered(policies) {
  const rank = (one) => (one.active ? 0 : one.state !== "heuristic" ? 1 : one.name.startsWith("wgc") ? 2 : 3);
  return policies.slice().sort((a, b) => rank(a) - rank(b) || (a.name < b.name ? -1 : 1));
}

function Active({ active, admin, changed }) {
  const faults = Object.entries(active.faults).filter(([, times]) => times > 0);
  return html`<section class="card" data-active=${active.name}><div class="with-note"><h2>${active.name} decides</h2>
      ${admin && html`<${Act} label="Evaluate it here" title="Replay jobs with ${active.nominee} and wgc on this cluster"
        done="The replay evaluation has begun." run=${async () => { await post("/v1/policies/fit", {}); changed(); }} />`}</div>
    <p class="sentence">${why(active)}</p>
    <dl class="figures">
      <${Figure} label="Mode">${active.preempts ? "preempts by itself" : active.mode}</${Figure}>
      <${Figure} label="Preference">${preference(active.preference)}</${Figure}>
      <${Figure} label="Guard took over">${count(active.fallbacks, "time")}${faults.length > 0 && html` <small>${faults.map(([name, times]) => `${name}: ${times}`).join(", ")}</small>`}</${Figure}>
    </dl>
    <${FitResult} fit=${active.fit} /></section>`;
}

function why(active) {
  const { fit } = active;
  if (!fit) return "A person or the settings chose it.";
  if (fit.state === "running") return `It is being compared with ${fit.rival} on this cluster; the better one will decide.`;
  if (fit.state !== "done") return `The last comparison did not end: ${fit.error || fit.state}.`;
  const began = `A replay on this cluster at ${clock(fit.time)} compared ${fit.nominee} and ${fit.rival}.`;
  if (active.name !== fit.ahead) return `${began} ${fit.ahead} was ahead; ${active.name} was chosen since.`;
  return `${began} ${fit.ahead} had the lower mean objective${fit.better ? "" : ", though no difference is shown"}.`;
}

function Preferences({ admin, changed }) {
  const poll = usePoll((signal) => get("/v1/preferences", { signal }), 10, "preferences");
  const [edited, setEdited] = useState(null);
  const found = poll.data;
  async function save() {
    const value = preferenceValue(edited.value);
    const body = edited.project === undefined ? { cluster: value } : { projects: { [edited.project.trim()]: value } };
    await put("/v1/preferences", body);
    poll.reload();
    changed();
  }
  const edit = (project, value) => admin && html`<button type="button" onClick=${() => setEdited({ project, value })}>Change</button>`;
  return html`<section class="card"><h2>What speed is worth</h2><${Loading} poll=${poll} />
    ${found && html`<table><tbody><tr><td><b>cluster</b><small>of jobs and projects that name none</small></td><td class="number">${preference(found.cluster)}</td><td class="do">${edit(undefined, preference(found.cluster))}</td></tr>
      ${Object.entries(found.projects).map(([name, value]) => html`<tr key=${name}><td>${name}</td><td class="number">${preference(value)}</td><td class="do">${edit(name, preference(value))}</td></tr>`)}</tbody></table>
      ${admin && html`<p><button type="button" onClick=${() => setEdited({ project: "", value: "balanced", fresh: true })}>Add a project</button></p>`}`}
    ${edited && html`<${Confirm} title="Change the preference?" label="Change" close=${() => setEdited(null)} run=${save}
      done="The preference is changed; waiting jobs follow.">
      <p>It counts for waiting jobs of ${edited.project === undefined ? "the cluster" : "the project"} that name none.</p>
      ${edited.fresh && html`<label>Project<input value=${edited.project} onInput=${(event) => setEdited({ ...edited, project: event.target.value })} /></label>`}
      <${PreferenceField} value=${edited.value} change=${(value) => setEdited({ ...edited, value })} none=${edited.project === undefined ? "" : "the cluster's"} />
    </${Confirm}>`}</section>`;
}

function Shadow({ shadow, policies, admin, changed }) {
  const choose = async (event) => {
    if (event.target.value) await put("/v1/policies/shadow", { name: event.target.value });
    changed();
  };
  return html`<section class="card"><h2>Shadow</h2>
    ${shadow ? html`<p><b>${shadow.name}</b> sees every decision since ${clock(shadow.since)} and changes none.</p>
      <dl class="figures"><${Figure} label="Decisions seen">${shadow.rounds}</${Figure}>
        <${Figure} label="Same placements">${percent(shadow.agreement)} <small>of ${shadow.placements}</small></${Figure}>
        <${Figure} label="Too slow, failed">${shadow.dropped}, ${shadow.failed}</${Figure}></dl>
      <${FitResult} fit=${shadow.fit} />
      ${admin && html`<div class="buttons"><${Act} label="Evaluate it" done="The replay has begun." run=${async () => { await post("/v1/policies/shadow/score"); changed(); }} />
        <${Act} label="End the shadow" done="No policy is in the shadow." run=${async () => { await request("DELETE", "/v1/policies/shadow"); changed(); }} /></div>`}`
    : html`<p class="quiet">No policy looks on.</p>`}
    ${admin && !shadow && html`<select aria-label="Let a policy look on" value="" onChange=${choose}><option value="">Let a policy look on …</option>
      ${policies.filter((one) => !one.active && one.usable).map((one) => html`<option value=${one.name}>${one.name}</option>`)}</select>`}
  </section>`;
}

function PolicyJobs() {
  const poll = usePoll((signal) => get("/v1/policies/jobs?limit=20", { signal }), 10, "work");
  if (!poll.data || !poll.data.jobs.length) return null;
  return html`<section class="card"><h2>Trainings, searches and tests</h2><div class="scroll"><table><tbody>${poll.data.jobs.map((one) => html`<tr key=${one.job.id}>
    <td><a href="#/jobs/${one.job.id}">${one.job.id}</a></td><td>${one.task}</td><td>${one.name}</td><td><${State} state=${one.job.state} /></td>
    <td><${Progress} id=${one.job.id} state=${one.job.state} /></td></tr>`)}</tbody></table></div></section>`;
}

function Progress({ id, state }) {
  const poll = usePoll((signal) => get(`/v1/policies/jobs/${id}`, { signal }), state === "RUNNING" ? 10 : 0, `${id} ${state}`);
  const found = poll.data;
  if (!found) return null;
  const verdict = found.promoted === null ? "" : found.promoted ? ", promoted" : ", not promoted";
  return html`<span class="quiet">${found.progress === null ? "" : percent(found.progress)} ${found.policy || ""}${verdict}</span>`;
}

function Policy({ policy, admin, open, toggle, changed }) {
  const [asked, setAsked] = useState(false);
  const learned = policy.name.startsWith("learned:");
  return html`<tr class=${policy.active ? "on" : ""}>
      <td><b>${policy.name}</b> ${policy.active && html`<span class="tag on">decides</span>`} ${policy.state !== "heuristic" && html`<span class="tag">${policy.state}</span>`}
        <small>${policy.summary}</small></td>
      <td class="do">${learned && html`<button type="button" aria-expanded=${open} onClick=${toggle}>${open ? "Less" : "How it did"}</button> `}
        ${admin && policy.usable && !policy.active && html`<button type="button" aria-label="Use ${policy.name}" onClick=${() => setAsked(true)}>Use</button>`}
        ${asked && html`<${Confirm} title="Let ${policy.name} decide?" label="Let it decide" close=${() => setAsked(false)}
          done="${policy.name} decides from the next round on." run=${async () => { await put("/v1/policies/active", { name: policy.name }); changed(); }}>
          <p>It decides from the next round on, also after a restart. Running jobs go on.</p></${Confirm}>`}</td></tr>
    ${open && html`<tr><td colspan="2"><${Evaluation} name=${policy.name} /></td></tr>`}`;
}
