// The list of jobs, page by page.
import { html, useMemo, useRef, useState } from "./core.js";
import { get, query, usePoll } from "./api.js";
import { clock, count, dollars, percent } from "./format.js";
import { ACTIVE, FINAL, Loading, State, Timing, jobTitle, mayChange } from "./ui.js";
import { CancelArray, JobActions } from "./actions.js";

const ROWS = 50;
const GROUPS = [
  ["", "All", []], ["waiting", "Waiting", ["QUEUED"]], ["running", "Running", ACTIVE],
  ["succeeded", "Succeeded", ["SUCCEEDED"]], ["failed", "Failed", ["FAILED"]],
  ["cancelled", "Cancelled", ["CANCELLED"]],
];
const KINDS = ["cnn-train", "cnn-infer", "command"];

export function Jobs({ session, parameters }) {
  const filter = Object.fromEntries(["group", "name", "kind", "user", "project", "array", "sweep"]
    .map((name) => [name, parameters.get(name) || ""]));
  const [cursors, setCursors] = useState([""]);
  const group = GROUPS.find(([name]) => name === filter.group) || GROUPS[0];
  const address = `/v1/jobs${query({
    state: group[2], name: filter.name, kind: filter.kind, user: filter.user,
    project: filter.project, array: filter.array, sweep: filter.sweep, limit: ROWS, count: true, cursor: cursors[cursors.length - 1],
  })}`;
  const jobs = usePoll((signal) => get(address, { signal }), 3, address);
  const rows = jobs.data ? jobs.data.jobs : [];
  const forecast = usePoll((signal) => get("/v1/forecast", { signal }), 3, "forecast");
  function change(values) {
    setCursors([""]);
    location.hash = `#/jobs${query({ ...filter, ...values })}`;
  }
  return html`<section class="jobs">
    <div class="head"><h1>Jobs</h1>
      ${jobs.data && html`<span class="quiet" data-total>${count(jobs.data.total, "job")}</span>`}</div>
    <${Filters} filter=${filter} session=${session} change=${change} />
    ${(filter.array || filter.sweep) && html`<div class="filters">${["array", "sweep"].filter((name) => filter[name]).map((name) => html`
      <button type="button" key=${name} aria-label="Show jobs outside ${name} ${filter[name]}, too" onClick=${() => change({ [name]: "" })}>${name} ${filter[name]} ✕</button>`)}
      ${filter.sweep && html`<a href="#/sweeps/${encodeURIComponent(filter.sweep)}">Its trials, the best first</a>`}
      ${filter.array && rows.some((job) => !FINAL.includes(job.state) && mayChange(session, job)) && html`<${CancelArray} array=${filter.array} changed=${jobs.reload} />`}</div>`}
    ${forecast.data && forecast.data.note && html`<p class="note">${forecast.data.note}</p>`}
    <${Loading} poll=${jobs} what="jobs" />
    ${jobs.data && !rows.length && html`<p class="empty">${Object.values(filter).some(Boolean)
      ? "No job matches." : "No job was submitted yet."}</p>`}
    ${rows.length > 0 && html`<${Table} rows=${rows} forecast=${forecast.data}
      session=${session} changed=${() => { jobs.reload(); forecast.reload(); }} />`}
    ${jobs.data && (cursors.length > 1 || jobs.data.next_cursor) && html`<div class="paging">
      <button type="button" disabled=${cursors.length === 1}
        onClick=${() => setCursors(cursors.slice(0, -1))}>← Newer</button>
      <span class="quiet">${(cursors.length - 1) * ROWS + 1} – ${(cursors.length - 1) * ROWS + rows.length}</span>
      <button type="button" disabled=${!jobs.data.next_cursor}
        onClick=${() => setCursors([...cursors, jobs.data.next_cursor])}>Older →</button>
    </div>`}
  </section>`;
}

function Filters({ filter, session, change }) {
  const typed = useRef(0);
  const search = (name) => (event) => {
    const { value } = event.target;
    clearTimeout(typed.current);
    typed.current = setTimeout(() => change({ [name]: value.trim() }), 250);
  };
  return html`<div class="filters" role="search">
    <div class="chips" role="group" aria-label="State">${GROUPS.map(([name, label]) => html`
      <button type="button" key=${name} aria-pressed=${filter.group === name}
        onClick=${() => change({ group: name })}>${label}</button>`)}</div>
    <input type="search" placeholder="Search by name" aria-label="Search by name"
      value=${filter.name} onInput=${search("name")} />
    <select aria-label="Kind" value=${filter.kind} onChange=${(event) => change({ kind: event.target.value })}>
      <option value="">every kind</option>${KINDS.map((kind) => html`<option value=${kind}>${kind}</option>`)}
    </select>
    <input class="short" type="search" placeholder="Project" aria-label="Project" value=${filter.project}
      onInput=${search("project")} />
    <label class="check"><input type="checkbox" checked=${filter.user === session.user}
      onChange=${(event) => change({ user: event.target.checked ? session.user : "" })} /> only mine</label>
  </div>`;
}

function Table({ rows, forecast, session, changed }) {
  const expected = useMemo(() => ({
    waiting: new Map((forecast ? forecast.waiting : []).map((one) => [one.job, one])),
    running: new Map((forecast ? forecast.running : []).map((one) => [one.job, one])),
    held: (forecast && forecast.held) || {},
  }), [forecast]);
  return html`<table class="list">
    <thead><tr><th>Job</th><th>State</th><th>Time</th><th class="number">Accuracy</th>
      <th class="number">Cost</th><th class="number">Priority</th><th><span class="hidden">Actions</span></th></tr></thead>
    <tbody>${rows.map((job) => html`<${Row} key=${job.id} job=${job} session=${session}
      waiting=${expected.waiting.get(job.id)} running=${expected.running.get(job.id)}
      held=${expected.held[job.id]} changed=${changed} />`)}</tbody>
  </table>`;
}

function Row({ job, waiting, running, held, session, changed }) {
  const spent = FINAL.includes(job.state) || job.dollars ? dollars(job.dollars) : "–";
  const why = held || job.reason;
  const going = ACTIVE.includes(job.state);
  return html`<tr data-job=${job.id}>
    <td class="name"><a href="#/jobs/${job.id}"><span class="id">${job.id}</span> ${jobTitle(job)}</a>
      <small>${job.kind} · ${job.user} · ${job.project} · ${clock(job.submitted_at)}</small>
      ${job.array && html`<small><a href="#/jobs?array=${job.array}">array ${job.array}</a>, index ${job.index}</small>`}
      ${job.sweep && html`<small><a href="#/sweeps/${job.sweep}">sweep ${job.sweep}</a>, trial ${job.index}</small>`}</td>
    <td class="why"><${State} state=${job.state} />${why !== "waiting" && html`<small title=${why}>${why}</small>`}</td>
    <td class="when"><${Timing} job=${job} waiting=${waiting} /></td>
    <td class="number" data-label="accuracy">${job.accuracy === null ? "–" : percent(job.accuracy, 1)}
      ${job.best_epoch && html`<small>epoch ${job.best_epoch}</small>`}</td>
    <td class="number" data-label="cost">${spent}${going && running && html`<small>≈ ${dollars(running.dollars)}</small>`}
      ${waiting && html`<small>≈ ${dollars(waiting.dollars)}</small>`}</td>
    <td class="number" data-label="priority">${job.priority}</td>
    <td class="do"><${JobActions} job=${job} session=${session} changed=${changed} /></td>
  </tr>`;
}
