// Why a job is where it is, and the decision about it with its rivals, in words.
import { html } from "./core.js";
import { clock, dollars, energy, plain, seconds } from "./format.js";

export function Explanation({ found }) {
  const [decision] = found.decisions;
  return html`<section class="card" data-explanation><h2>Why</h2>
    <p class="sentence">${sentence(found.text)}</p>
    ${found.start_low && html`<p>It starts between <b>${clock(found.start_low)}</b> and <b>${found.start_high ? clock(found.start_high) : "a time not in sight"}</b> with a chance of 80 %.</p>`}
    ${found.ahead && html`<p>${sentence(found.ahead)}</p>`}
    ${found.blockers.length > 0 && html`<p>It waits for ${found.blockers.slice(0, 12).map((job, at) => html`${at ? ", " : ""}<a href="#/jobs/${job}">job ${job}</a>`)}.</p>`}
    ${found.alternatives.length > 0 && html`<h3>Other places it accepts</h3><${Alternatives} found=${found.alternatives} />`}
    ${found.what_if.length > 0 && html`<h3>What would change it</h3><ul class="rivals">${found.what_if.map((one) => html`<li>${sentence(one.text)}</li>`)}</ul>`}
    ${decision && html`<${Decision} decision=${decision} />`}
    ${found.decisions.length > 1 && html`<details><summary>Earlier decisions (${found.decisions.length - 1})</summary>
      <ul class="rivals">${found.decisions.slice(1).map((one) => html`<li>${clock(one.time)}: ${one.reason}</li>`)}</ul></details>`}
  </section>`;
}

const sentence = (text) => (text ? `${text[0].toUpperCase()}${text.slice(1)}.` : "");

function Alternatives({ found }) {
  return html`<div class="scroll"><table><thead><tr><th>Place</th><th class="number">Free in</th>
    <th class="number">Runtime</th><th class="number">Cost</th></tr></thead><tbody>${found.map((one) => html`<tr>
      <td>${one.pool} × ${one.width}</td>
      <td class="number">${one.start_delay_s === null ? "not in sight" : one.start_delay_s <= 0 ? "now" : seconds(one.start_delay_s)}</td>
      <td class="number">${seconds(one.runtime_s)}</td><td class="number">${dollars(one.dollars)}</td></tr>`)}</tbody></table></div>`;
}

function Decision({ decision }) {
  const { chosen, rivals } = decision;
  return html`<h3>The decision at ${clock(decision.time)}, by ${decision.policy}</h3>
    <p>${sentence(decision.reason)}</p>
    <p>${decision.rows === 1 ? "There was no other candidate." : `It was the best of ${decision.rows} candidates: each is a job on one of its places.`}</p>
    ${rivals.length > 0 && html`<ul class="rivals">${rivals.map((rival) => html`<li>${sentence(rival.text || `job ${rival.job} on ${rival.pool} × ${rival.width}`)}</li>`)}</ul>`}
    ${Object.keys(chosen.terms).length > 0 && html`<details><summary>What counted for it, beside its best rival</summary>
      <table><tbody>${Object.entries(chosen.terms).map(([name, value]) => html`<tr><td>${name.replaceAll("_", " ")}</td>
        <td class="number">${value > 0 ? "+" : ""}${plain(value)}</td></tr>`)}</tbody></table></details>`}
    <details><summary>The figures that were compared</summary><${Figures} rows=${[chosen, ...rivals]} /></details>`;
}

const SHOWN = { runtime: seconds, wait: seconds, start_delay: seconds, dollars, joules: energy };

function Figures({ rows }) {
  const names = [...new Set(rows.flatMap((row) => Object.keys(row.values)))];
  return html`<div class="scroll"><table><thead><tr><th>Candidate</th><th class="number">score</th>
    ${names.map((name) => html`<th class="number">${name.replaceAll("_", " ")}</th>`)}</tr></thead>
    <tbody>${rows.map((row) => html`<tr><td>${row.job ? `job ${row.job} on ${row.pool} × ${row.width}` : "wait"}</td>
      <td class="number">${plain(row.score)}</td>
      ${names.map((name) => html`<td class="number">${name in row.values ? (SHOWN[name] || plain)(row.values[name]) : ""}</td>`)}</tr>`)}</tbody></table></div>`;
}

