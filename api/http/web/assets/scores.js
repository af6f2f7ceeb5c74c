// How good a classifier was on its test or on labelled images: figures, classes, voters, confusion.
import { html } from "./core.js";
import { get, usePoll } from "./api.js";
import { percent, plain } from "./format.js";
import { Figure } from "./ui.js";

const FIGURES = [["accuracy", "Accuracy"], ["precision", "Precision"], ["recall", "Recall"], ["f1", "F1"]];

export function Scores({ job }) {
  const result = job.result || {};
  const metrics = result.metrics || {};
  const known = FIGURES.filter(([name]) => typeof metrics[name] === "number");
  return html`${known.length > 0 && html`<section class="card"><h2>${job.kind === "cnn-train" ? "Test" : "Labelled images"}</h2>
      <dl class="figures">${known.map(([name, label]) => html`<${Figure} key=${name} label=${label}>${percent(metrics[name], 1)}${name !== "accuracy" && html` <small>mean of the classes</small>`}</${Figure}>`)}
        ${typeof result.labelled_images === "number" && html`<${Figure} label="Images">${plain(result.labelled_images, 9)} <small>of ${plain(result.images, 9)}</small></${Figure}>`}
        ${typeof result.kept_epoch === "number" && html`<${Figure} label="Model kept">epoch ${result.kept_epoch}</${Figure}>`}</dl>
      ${Array.isArray(result.voters) && result.voters.length > 1 && html`<${Voters} job=${job} together=${metrics.accuracy} />`}</section>`}
    <div class="grid">${isTable(result.per_class) && html`<${Classes} classes=${result.per_class} />`}<${Confusion} job=${job} /></div>`;
}

const isTable = (value) => typeof value === "object" && value !== null && Object.keys(value).length > 0;

function Share({ value }) {
  return html`<span class="bar" aria-hidden="true"><span style=${{ width: `${100 * value}%` }}></span></span>`;
}

function Classes({ classes }) {
  return html`<section class="card" data-classes><h2>Classes</h2><div class="scroll"><table><thead><tr><th>Class</th><th class="number">Images</th><th class="number">Precision</th>
    <th class="number">Recall</th><th class="number">F1</th><th class="share"><span class="hidden">F1 as a bar</span></th></tr></thead>
    <tbody>${Object.entries(classes).map(([name, one]) => html`<tr key=${name}><td><b>${name}</b></td><td class="number">${plain(one.images, 9)}</td>
      <td class="number">${percent(one.precision, 1)}</td><td class="number">${percent(one.recall, 1)}</td><td class="number">${percent(one.f1, 1)}</td>
      <td class="share"><${Share} value=${one.f1} /></td></tr>`)}</tbody></table></div></section>`;
}

// Each model alone, and their vote.
function Voters({ job, together }) {
  const from = (source) => {
    const at = /^work\.models\.(\d+)$/.exec(source);
    return at ? (job.work.models || [])[Number(at[1])] ?? source : source;
  };
  return html`<h3>Each model alone</h3><div class="scroll"><table data-voters><thead><tr><th>Model</th><th>From</th><th class="number">Accuracy</th><th class="share"><span class="hidden">Accuracy as a bar</span></th></tr></thead>
    <tbody>${job.result.voters.map((one) => {
      const source = from(String(one.source));
      return html`<tr><td>${one.model}</td><td>${typeof source === "number" ? html`<a href="#/jobs/${source}">job ${source}</a>` : source}</td>
        <td class="number">${percent(one.accuracy, 1)}</td><td class="share"><${Share} value=${one.accuracy} /></td></tr>`;
    })}<tr><td><b>together</b></td><td></td><td class="number"><b>${percent(together, 1)}</b></td><td class="share"><${Share} value=${together} /></td></tr></tbody></table></div>`;
}

function Confusion({ job }) {
  const poll = usePoll(async (signal) => {
    const { artifacts } = await get(`/v1/jobs/${job.id}/artifacts`, { signal });
    const there = artifacts.some((file) => file.name === "confusion.json");
    return there ? get(`/v1/jobs/${job.id}/artifacts/confusion.json`, { signal }) : {};
  }, 0, job.id);
  const { counts: matrix, classes = [] } = poll.data || {};
  if (!Array.isArray(matrix)) return null;
  const name = (at) => String(classes[at] ?? at);
  return html`<section class="card"><h2>Confusion matrix</h2><div class="scroll"><table class="matrix">
    <thead><tr><th>true ↓ predicted →</th>${matrix.map((_, at) => html`<th scope="col">${name(at)}</th>`)}</tr></thead>
    <tbody>${matrix.map((row, at) => {
      const whole = row.reduce((sum, value) => sum + value, 0) || 1;
      return html`<tr><th scope="row">${name(at)}</th>${row.map((value) => html`<td style=${{ background: `rgb(0 114 178 / ${(0.75 * value) / whole})` }}>${plain(value, 9)}</td>`)}</tr>`;
    })}</tbody></table></div></section>`;
}
