// Projects: their shares, what they used of them, and their limits as bars.
import { html, useState } from "./core.js";
import { get, patch, usePoll } from "./api.js";
import { count, dollars, plain } from "./format.js";
import { Dialog, Loading, say } from "./ui.js";

const whole = (value) => plain(value, 9);
// What is limited: its name, how much is used, and how numbers of it read.
const LIMITS = [
  ["devices", "devices at once", (one) => one.devices, whole],
  ["queued", "waiting jobs", (one) => one.queued, whole],
  ["dollars_per_day", "today", (one) => one.dollars_today, dollars],
  ["dollars_per_month", "this month", (one) => one.dollars_this_month, dollars],
];

export function Projects({ session }) {
  const poll = usePoll((signal) => get("/v1/projects", { signal }), 10, "projects");
  const [edited, setEdited] = useState(null);
  const admin = session.role === "admin";
  const found = poll.data ? poll.data.projects : [];
  const shares = found.reduce((sum, one) => sum + one.share, 0);
  return html`<section class="card" data-projects><div class="with-note"><h2>Projects</h2>
      ${admin && html`<button type="button" onClick=${() => setEdited({ name: "" })}>Set up a project</button>`}</div>
    <${Loading} poll=${poll} what="projects" />
    ${poll.data && !found.length && html`<p class="quiet">No project has used anything yet.</p>`}
    ${found.length > 0 && html`<p class="quiet">Of the projects with waiting jobs, the one that used least of its share goes first.</p>
      <div class="scroll"><table class="stack"><thead><tr><th>Project</th><th class="number">Share</th><th>Used of its share</th><th>Limits</th>${admin && html`<th></th>`}</tr></thead>
      <tbody>${found.map((one) => html`<${Project} key=${one.name} project=${one} shares=${shares} edit=${admin && (() => setEdited(one))} />`)}</tbody></table></div>`}
    ${edited && html`<${Change} project=${edited} close=${() => setEdited(null)} changed=${poll.reload} />`}</section>`;
}

function Project({ project, shares, edit }) {
  const limited = LIMITS.filter(([name]) => project.hard[name] !== null || project.soft[name] !== null);
  return html`<tr data-project=${project.name}><td class="wide"><a href="#/jobs?project=${encodeURIComponent(project.name)}"><b>${project.name}</b></a>
      <small>${count(project.devices, "device")} now, ${count(project.queued, "job")} waiting</small></td>
    <td class="number" data-label="share">${plain(project.share)}<small>${plain((100 * project.share) / shares)} %</small></td>
    <td data-label="used of its share"><${Used} ratio=${project.ratio} /></td>
    <td class="wide">${limited.map(([name, label, used, shown]) => html`<${Limit} key=${name} label=${label} used=${used(project)} shown=${shown}
        hard=${project.hard[name]} soft=${project.soft[name]} more=${name.startsWith("dollars") ? project.committed : 0} />`)}
      ${!limited.length && html`<span class="quiet">none</span>`}
      ${project.warnings.map((text) => html`<p class="note warns"><span aria-hidden="true">⚠</span> ${text}</p>`)}</td>
    ${edit && html`<td class="do"><button type="button" aria-label="Change project ${project.name}" onClick=${edit}>Change</button></td>`}</tr>`;
}

// 1 × is its fair share: the mark in the middle of the bar.
function Used({ ratio }) {
  const words = `${plain(ratio, 2)} × its share`;
  return html`<span class="fair" role="img" aria-label=${words}><span class="bar"><span style=${{ width: `${Math.min(100, 50 * ratio)}%` }}></span></span><i></i></span>
    <small>${words}</small>`;
}

// The bar is of the hard limit if there is one; a soft one only warns.
function Limit({ label, used, shown, hard, soft, more }) {
  const most = hard ?? soft;
  const share = most ? used / most : used ? 1 : 0;
  const over = (hard !== null && used >= hard) || (soft !== null && used > soft);
  const notes = [hard === null ? "warns only" : soft !== null && `warns above ${shown(soft)}`, more > 0 && `+ ${shown(more)} of running jobs`];
  return html`<div class="limit ${over ? "over" : ""}"><span>${label}</span><span class="bar" aria-hidden="true"><span style=${{ width: `${100 * Math.min(1, share)}%` }}></span></span>
    <span class="number">${over && html`<span aria-hidden="true">⚠ </span>`}${shown(used)} of ${shown(most)} <small>${notes.filter(Boolean).join(", ")}</small></span></div>`;
}

const text = (value) => (value === null || value === undefined ? "" : String(value));

function Change({ project, close, changed }) {
  const fresh = !project.name;
  const [values, setValues] = useState(() => ({
    name: project.name, share: text(project.share ?? 1),
    ...Object.fromEntries(["hard", "soft"].flatMap((kind) => LIMITS.map(([name]) => [`${kind}.${name}`, text(project[kind] && project[kind][name])]))),
  }));
  const [problem, setProblem] = useState(null);
  const typed = (name) => (event) => setValues({ ...values, [name]: event.target.value });
  const limits = (kind) => Object.fromEntries(LIMITS.map(([name]) => {
    const given = values[`${kind}.${name}`].trim();
    return [name, given === "" ? null : Number(given)];
  }));
  async function save(event) {
    event.preventDefault();
    try {
      await patch(`/v1/projects/${encodeURIComponent(values.name.trim())}`, { share: Number(values.share), hard: limits("hard"), soft: limits("soft") });
      say(`Project ${values.name.trim()} is changed; waiting jobs follow.`);
      changed();
      close();
    } catch (error) {
      setProblem(error);
    }
  }
  return html`<${Dialog} title=${fresh ? "Set up a project" : `Change project ${project.name}`} close=${close}><form onSubmit=${save}>
    ${fresh && html`<label>Name<input required value=${values.name} onInput=${typed("name")} /></label>`}
    <label>Share <small>its part of the cluster is its share ÷ the sum of all shares</small>
      <input type="number" step="any" min="0.001" required value=${values.share} onInput=${typed("share")} /></label>
    <table class="limits"><thead><tr><th>Limit <small>empty: none</small></th><th>Refuse or wait above</th><th>Warn above</th></tr></thead><tbody>${LIMITS.map(([name]) => html`<tr key=${name}>
      <td>${name.replaceAll("_", " ")}</td>${["hard", "soft"].map((kind) => html`<td><input type="number" min="0" step=${name.startsWith("dollars") ? "any" : "1"}
        aria-label="${kind} limit of ${name.replaceAll("_", " ")}" value=${values[`${kind}.${name}`]} onInput=${typed(`${kind}.${name}`)} /></td>`)}</tr>`)}</tbody></table>
    ${problem && html`<p class="problem" role="alert">${problem.message}</p>`}
    <div class="buttons"><button type="button" onClick=${close}>Back</button><button class="primary">Save</button></div>
  </form></${Dialog}>`;
}
