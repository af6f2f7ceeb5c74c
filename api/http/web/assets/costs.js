// What jobs have cost: by user, project, pool or day.
import { html, useState } from "./core.js";
import { get, query, usePoll } from "./api.js";
import { count, dollars, energy, now, seconds } from "./format.js";
import { Figure, Loading } from "./ui.js";
import { Projects } from "./projects.js";

const GROUPS = ["user", "project", "pool", "day"];
const SPANS = [["1", "24 hours"], ["7", "7 days"], ["30", "30 days"], ["", "all time"]];

export function Costs({ session }) {
  const [by, setBy] = useState("user");
  const [days, setDays] = useState("30");
  const since = days && new Date((Math.floor(now() / 3600) * 3600 - days * 86400) * 1000).toISOString();
  const address = `/v1/costs${query({ by, since })}`;
  const poll = usePoll((signal) => get(address, { signal }), 15, address);
  const costs = poll.data;
  return html`<section>
    <div class="head"><h1>Costs</h1><span class="quiet">measured, of attempts that have ended</span></div>
    <${Projects} session=${session} />
    <div class="filters">
      <div class="chips" role="group" aria-label="Group by">${GROUPS.map((name) => html`<button type="button" key=${name}
        aria-pressed=${by === name} onClick=${() => setBy(name)}>by ${name}</button>`)}</div>
      <select aria-label="Time" value=${days} onChange=${(event) => setDays(event.target.value)}>
        ${SPANS.map(([value, label]) => html`<option value=${value}>${label}</option>`)}</select>
      ${costs && html`<button type="button" onClick=${() => save(costs)}>Download CSV</button>`}</div>
    <${Loading} poll=${poll} what="costs" />
    ${costs && html`<section class="card"><dl class="figures">
      <${Figure} label="Cost">${dollars(costs.total.dollars)}</${Figure}>
      <${Figure} label="Energy">${energy(costs.total.joules)}</${Figure}>
      <${Figure} label="Device time">${seconds(costs.total.device_seconds)}</${Figure}>
      <${Figure} label="Attempts">${costs.total.attempts}</${Figure}>
      <${Figure} label="Lost to preemption">${seconds(costs.total.lost_device_seconds)} <small>of device time</small></${Figure}>
      ${costs.idle.length > 0 && html`<${Figure} label="Idle devices">${dollars(costs.idle.reduce((sum, one) => sum + one.dollars, 0))} <small>not in the cost</small></${Figure}>`}
    </dl></section>
    ${costs.groups.length ? html`<${Groups} costs=${costs} />` : html`<p class="empty">Nothing has ended in this time.</p>`}
    ${costs.idle.length > 0 && html`<section class="card"><h2>Devices that were up without a job</h2><table><thead><tr><th>Pool</th><th class="number">Device time</th><th class="number">Cost</th></tr></thead>
      <tbody>${costs.idle.map((one) => html`<tr><td>${one.pool}</td><td class="number">${seconds(one.device_seconds)}</td><td class="number">${dollars(one.dollars)}</td></tr>`)}</tbody></table></section>`}`}
  </section>`;
}

function Groups({ costs }) {
  const most = Math.max(...costs.groups.map((one) => one.dollars), 1e-12);
  return html`<section class="card"><div class="scroll"><table><thead><tr><th>${costs.by}</th><th class="share"></th><th class="number">Cost</th><th class="number">Energy</th>
    <th class="number">Device time</th><th class="number">Jobs</th></tr></thead>
    <tbody>${costs.groups.map((one) => html`<tr key=${one.group}><td><b>${one.group}</b></td>
      <td class="share"><span class="bar" aria-hidden="true"><span style=${{ width: `${(100 * one.dollars) / most}%` }}></span></span></td>
      <td class="number">${dollars(one.dollars)}</td><td class="number">${energy(one.joules)}</td>
      <td class="number">${seconds(one.device_seconds)}</td><td class="number">${count(one.jobs, "job")}</td></tr>`)}</tbody></table></div></section>`;
}

const COLUMNS = ["group", "jobs", "attempts", "device_seconds", "dollars", "joules", "lost_device_seconds"];

// Text of a cell. A spreadsheet must not take a name for a formula, so one that looks like it gets
// an apostrophe in front.
function cell(value) {
  if (typeof value !== "string") return String(value);
  const safe = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\n\r]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function save(costs) {
  const rows = [[costs.by, ...COLUMNS.slice(1)], ...costs.groups.map((one) => COLUMNS.map((name) => one[name]))];
  const text = `${rows.map((row) => row.map(cell).join(",")).join("\r\n")}\r\n`;
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  link.download = `costs-by-${costs.by}.csv`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
