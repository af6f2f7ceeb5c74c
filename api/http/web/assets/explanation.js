// Why a job is where it is, and the decision about it with its rivals, in words.
import { html } from "./core.js";
import { clock, dollars, energy, plain, seconds } from "./format.js";

export function Explanation({ found }) {
  const [decision] = found.decisions;
  return html`<section class="card" data-explanation><h2>Why</h2>
    <p class="sentence">${sentence(found.text)}</p>
    ${found.start_low && html`<p>It starts between <b>${clock(found.start_low)}</b> and <b>${found.start_high ? clock(found.start_high) : "a time not in sight"}</b> with a chance of 80 %.</p>`}
    ${found.blockers.length > 0 && html`<p>It waits for ${found.blockers.slice(0, 12).map((job, at) => html`${at ? ", " : ""}<a href="#/jobs/${job}">job ${job}</a>`)}.</p>`}
    ${found.alternatives.length > 0 && html`<h3>Other places it accepts</h3><${Alternatives} found=${found.alternatives} />`}
    ${decision && html`<${Decision} decision=${decision} job=${found.job.id} />`}
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

function Decision({ decision, job }) {
  const { chosen, rivals } = decision;
  return html`<h3>The decision at ${clock(decision.time)}, by ${decision.policy}</h3>
    <p>${sentence(decision.reason)}</p>
    <p>${decision.rows === 1 ? "There was no other candidate." : `It was the best of ${decision.rows} candidates: each is a job on one of its places.`}</p>
    ${rivals.length > 0 && html`<ul class="rivals">${rivals.map((rival) => html`<li>${rivalWords(chosen, rival, job)}</li>`)}</ul>`}
    ${Object.keys(chosen.terms).length > 0 && html`<details><summary>What counted for it, beside its best rival</summary>
      <table><tbody>${Object.entries(chosen.terms).map(([name, value]) => html`<tr><td>${name.replaceAll("_", " ")}</td>
        <td class="number">${value > 0 ? "+" : ""}${plain(value)}</td></tr>`)}</tbody></table></details>`}
    <details><summary>The figures that were compared</summary><${Figures} rows=${[chosen, ...rivals]} /></details>`;
}

// "Job 18 on gpu × 1 scored 0.3 less: it would have run 12 s longer and cost $0.01 more."
function rivalWords(chosen, rival, job) {
  if (!rival.job) return `Waiting scored ${plain(chosen.score - rival.score)} less.`;
  const who = rival.job === job ? "The same job" : html`<a href="#/jobs/${rival.job}">Job ${rival.job}</a>`;
  const gap = chosen.score - rival.score;
  const parts = [];
  const differ = (name, show, more, less) => {
    const difference = (rival.values[name] || 0) - (chosen.values[name] || 0);
    if (Math.abs(difference) > 1e-9) parts.push(`${show(Math.abs(difference))} ${difference > 0 ? more : less}`);
  };
  differ("runtime", seconds, "longer", "shorter");
  differ("dollars", dollars, "dearer", "cheaper");
  differ("start_delay", seconds, "later", "earlier");
  differ("wait", seconds, "more waiting behind it", "less waiting behind it");
  const flip = gap > 0 ? `It would have won with a score ${plain(gap)} higher.` : "Its score was equal.";
  return html`${who} on <b>${rival.pool} × ${rival.width}</b>: ${parts.join(", ") || "equal in time and cost"}. ${flip}`;
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

