// One job: where it stands and why, its curves, log, cost, events and files.
import { html } from "./core.js";
import { get, query, usePoll } from "./api.js";
import { bytes, clock, dollars, energy, percent, preference, seconds } from "./format.js";
import { FINAL, Figure, Loading, State, Timing, jobTitle, warned } from "./ui.js";
import { JobActions } from "./actions.js";
import { Curves } from "./curves.js";
import { Explanation } from "./explanation.js";
import { Log } from "./log.js";
import { Scores } from "./scores.js";

export function JobPage({ id, session }) {
  const poll = usePoll((signal) => get(`/v1/jobs/${encodeURIComponent(id)}`, { signal }), 2, id);
  const job = poll.data;
  const live = job && !FINAL.includes(job.state);
  const version = job ? `${id} ${job.version}` : id;
  const why = usePoll((signal) => get(`/v1/jobs/${encodeURIComponent(id)}/explain`, { signal }), live ? 4 : 0, version);
  if (!job) return html`<${Loading} poll=${poll} what="the job" />`;
  const waiting = why.data && job.state === "QUEUED" && why.data.position && why.data.start && why.data;
  return html`<article class="job">
    <div class="head"><h1><span class="id">${job.id}</span> ${jobTitle(job)}</h1><${State} state=${job.state} />
      <${JobActions} job=${job} session=${session} changed=${() => { poll.reload(); why.reload(); }} /></div>
    ${live && (warned.get(job.id) || []).map((text) => html`<p class="note warns" role="alert"><span aria-hidden="true">⚠</span> ${text}</p>`)}
    <section class="card"><dl class="figures">
      <${Figure} label="Time"><${Timing} job=${job} waiting=${waiting} /></${Figure}>
      <${Figure} label="Cost">${dollars(job.dollars)}${live && why.data && why.data.dollars !== null && html` <small>≈ ${dollars(why.data.dollars)} expected</small>`}</${Figure}>
      <${Figure} label="Energy">${energy(job.joules)}</${Figure}>
      ${job.accuracy !== null && html`<${Figure} label="Accuracy">${percent(job.accuracy, 2)}${job.best_epoch && html` <small>validated, epoch ${job.best_epoch}</small>`}</${Figure}>`}
      <${Figure} label="Submitted">${clock(job.submitted_at)}</${Figure}>
      <${Figure} label="Ended">${clock(job.finished_at)}</${Figure}>
      <${Figure} label="Kind">${job.kind}</${Figure}>
      <${Figure} label="User, project">${job.user}, ${job.project}</${Figure}>
      <${Figure} label="Priority">${job.priority}</${Figure}>
      <${Figure} label="Preference">${preference(job.preference) || "the project's"}</${Figure}>
      ${job.deadline && html`<${Figure} label="Deadline">${clock(job.deadline)}</${Figure}>`}
      ${job.budget !== null && html`<${Figure} label="Budget">${dollars(job.budget)}</${Figure}>`}
      ${job.after.length > 0 && html`<${Figure} label="After">${job.after.map((one) => html`<a href="#/jobs/${one}">${one}</a> `)}</${Figure}>`}
      ${job.array && html`<${Figure} label="Array"><a href="#/jobs?array=${job.array}">array ${job.array}</a> <small>index ${job.index}</small></${Figure}>`}
      ${job.sweep && html`<${Figure} label="Sweep"><a href="#/sweeps/${job.sweep}">sweep ${job.sweep}</a> <small>trial ${job.index}</small></${Figure}>`}
      ${job.preemptions > 0 && html`<${Figure} label="Preemptions">${job.preemptions} <small>${seconds(job.lost_s)} lost</small></${Figure}>`}
      ${job.retry_of && html`<${Figure} label="Repeats"><a href="#/jobs/${job.retry_of}">job ${job.retry_of}</a>${job.resume_from ? " from its last checkpoint" : ""}</${Figure}>`}
    </dl></section>
    ${why.data ? html`<${Explanation} found=${why.data} />` : html`<${Loading} poll=${why} />`}
    ${job.kind !== "cnn-infer" && job.attempts > 0 && html`<${Curves} job=${job} />`}
    ${job.attempts > 0 && html`<${Log} job=${job.id} key=${job.id} />`}
    ${job.kind !== "command" && FINAL.includes(job.state) && html`<${Scores} job=${job} />`}
    <div class="grid"><${Attempts} job=${job} /><${Artifacts} job=${job} version=${version} /></div>
    <${Events} job=${job} version=${version} />
    <${Specification} job=${job} />
  </article>`;
}

function Attempts({ job }) {
  return html`<section class="card"><h2>Attempts</h2>${!job.history.length ? html`<p class="quiet">None has begun.</p>` : html`
    <div class="scroll"><table><thead><tr><th>No.</th><th>Place</th><th>Ended</th><th class="number">Ran</th><th class="number">Expected</th><th class="number">Cost</th></tr></thead>
    <tbody>${job.history.map((one) => html`<tr><td>${one.number}</td><td>${one.pool} × ${one.width}</td>
      <td>${one.exit_reason || one.state.toLowerCase()}</td>
      <td class="number">${one.started_at && one.finished_at ? seconds((Date.parse(one.finished_at) - Date.parse(one.started_at)) / 1000) : "–"}</td>
      <td class="number">${seconds(one.estimate.runtime_s)}<small>${one.estimate.source}</small></td>
      <td class="number">${dollars(one.dollars)}<small>${energy(one.joules)}</small></td></tr>`)}</tbody></table></div>`}</section>`;
}

function Artifacts({ job, version }) {
  const poll = usePoll((signal) => get(`/v1/jobs/${job.id}/artifacts`, { signal }), 0, version);
  const files = poll.data ? poll.data.artifacts : [];
  return html`<section class="card"><h2>Files</h2><${Loading} poll=${poll} />
    ${poll.data && !files.length && html`<p class="quiet">None${poll.data.pruned_at ? `; they were removed ${clock(poll.data.pruned_at)}` : ""}.</p>`}
    ${files.length > 0 && html`<table><tbody>${files.slice(0, 200).map((file) => html`<tr>
      <td><a download href=${`/v1/jobs/${job.id}/artifacts/${file.name.split("/").map(encodeURIComponent).join("/")}`}>${file.name}</a></td>
      <td class="number">${bytes(file.size)}</td></tr>`)}</tbody></table>
      ${files.length > 200 && html`<p class="quiet">… and ${files.length - 200} more</p>`}`}</section>`;
}

function Events({ job, version }) {
  const poll = usePoll((signal) => get(`/v1/jobs/${job.id}/events${query({ limit: 500 })}`, { signal }), 0, version);
  return html`<section class="card"><h2>Events</h2><${Loading} poll=${poll} />
    ${poll.data && html`<table><tbody>${poll.data.events.slice().reverse().map((event) => html`<tr key=${event.seq}>
      <td class="moment">${clock(event.time)}</td><td><b>${event.name}</b> <span class="quiet">by ${event.actor}</span>
      ${event.reason && html`<small>${event.reason}</small>`}</td></tr>`)}</tbody></table>`}</section>`;
}

function Specification({ job }) {
  const rows = [...Object.entries(job.work), ["devices", job.request.devices], ["width", [job.request.min_width, job.request.max_width]],
    ["memory", job.request.memory_bytes ? bytes(job.request.memory_bytes) : "not limited"], ["max attempts", job.retry.max_attempts],
    ["max duration", job.max_duration_s ? seconds(job.max_duration_s) : "not limited"],
    ...(Object.keys(job.secrets).length ? [["secrets", Object.entries(job.secrets).map(([variable, name]) => (variable === name ? name : `${variable} from ${name}`)).join(", ")]] : [])];
  return html`<section class="card"><h2>What was submitted</h2><dl class="figures code">${rows.map(([name, value]) => html`
    <${Figure} key=${name} label=${name.replaceAll("_", " ")}>${typeof value === "object" && value !== null ? JSON.stringify(value) : String(value ?? "–")}</${Figure}>`)}</dl></section>`;
}
