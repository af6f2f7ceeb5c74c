// Curves of metrics per epoch, of one training or several side by side.
import { html, useEffect, useState } from "./core.js";
import { get, query, usePoll } from "./api.js";
import { plain } from "./format.js";
import { COLOURS, Chart } from "./chart.js";
import { FINAL, Loading, jobTitle } from "./ui.js";

const FIRST = ["accuracy", "loss"];
const NO_FIGURES = ["kind", "time", "epoch", "epochs", "seconds"];
const PARTS = ["validation_", "train_", ""];

// Rows per epoch of a job; a later attempt goes on after the epoch that it resumed from.
async function epochs(job, signal) {
  const { attempts } = await get(`/v1/jobs/${job}/metrics?kind=epoch`, { signal });
  const byEpoch = new Map();
  for (const line of attempts.flatMap((one) => one.lines)) {
    if (Number.isInteger(line.epoch)) byEpoch.set(line.epoch, line);
  }
  return [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
}

// Names of what the epochs measured, without the part that it was measured on; the usual ones first.
function figures(rows) {
  const found = new Set();
  for (const line of rows.flat()) {
    for (const [name, value] of Object.entries(line)) {
      if (typeof value === "number" && !NO_FIGURES.includes(name)) found.add(name.replace(/^(validation|train)_/, ""));
    }
  }
  return [...FIRST.filter((name) => found.has(name)), ...[...found].filter((name) => !FIRST.includes(name)).sort()];
}

const words = (name) => `${name[0].toUpperCase()}${name.slice(1).replaceAll("_", " ")}`;

export function Curves({ job }) {
  const [others, setOthers] = useState([]);
  const shown = [job.id, ...others];
  const live = !FINAL.includes(job.state);
  const poll = usePoll(async (signal) => Promise.all(shown.map((one) => epochs(one, signal))),
    live ? 4 : 0, `${shown}${live}`);
  const rows = poll.data || [];
  const names = figures(rows);
  const [first, more] = [names.slice(0, 2), names.slice(2, 14)];
  if (job.kind !== "cnn-train" && !names.length) return null;
  const chart = (name) => html`<${Figure} key=${name} name=${name} jobs=${shown} rows=${rows} />`;
  return html`<section class="card"><div class="with-note"><h2>Training curves</h2>
      <${Compare} job=${job} others=${others} change=${setOthers} /></div>
    <${Loading} poll=${poll} what="metrics" />
    ${poll.data && !names.length ? html`<p class="quiet">No epoch has ended yet.</p>` : html`
      <ul class="legend">${shown.map((one, at) => html`<li key=${one}><i style=${{ borderColor: COLOURS[at % COLOURS.length] }}></i>job ${one}</li>`)}
        <li><i></i>validation</li><li><i class="dashed"></i>training</li></ul>
      <div class="grid">${first.map(chart)}</div>
      ${more.length > 0 && html`<details><summary>Other figures</summary><div class="grid">${more.map(chart)}</div></details>`}`}
  </section>`;
}

function Compare({ job, others, change }) {
  const [found, setFound] = useState([]);
  async function look() {
    const { jobs } = await get(`/v1/jobs${query({ kind: job.kind, limit: 200 })}`);
    setFound(jobs.filter((one) => one.id !== job.id && one.attempts));
  }
  useEffect(() => { look().catch(() => {}); }, [job.id]);
  const left = found.filter((one) => !others.includes(one.id));
  return html`<span class="actions">
    ${others.map((one) => html`<button type="button" key=${one} aria-label="Remove job ${one} from the curves"
      onClick=${() => change(others.filter((other) => other !== one))}>job ${one} ✕</button>`)}
    ${others.length < COLOURS.length - 1 && left.length > 0 && html`<select aria-label="Compare with another training" value=""
      onChange=${(event) => { if (event.target.value) change([...others, Number(event.target.value)]); }}>
      <option value="">Compare with …</option>
      ${left.map((one) => html`<option value=${one.id}>${one.id} ${jobTitle(one)}</option>`)}</select>`}
  </span>`;
}

// One figure of several jobs; training is dashed.
function Figure({ name, jobs, rows }) {
  const last = Math.max(0, ...rows.map((one) => (one.length ? one[one.length - 1].epoch : 0)));
  const x = Array.from({ length: last }, (_, at) => at + 1);
  const series = rows.flatMap((lines, at) => {
    const byEpoch = new Map(lines.map((line) => [line.epoch, line]));
    return PARTS.map((part) => ({
      job: jobs[at], part, colour: COLOURS[at % COLOURS.length],
      dash: part === "train_" ? [5, 4] : [], width: part === "train_" ? 1.4 : 2.2,
      values: x.map((epoch) => {
        const value = byEpoch.get(epoch) && byEpoch.get(epoch)[`${part}${name}`];
        return typeof value === "number" && isFinite(value) ? value : null;
      }),
    })).filter((one) => one.values.some((value) => value !== null));
  });
  const told = (at) => `Epoch ${x[at]}: ${jobs.map((job) => {
    const mine = series.filter((one) => one.job === job && one.values[at] !== null)
      .map((one) => `${one.part === "train_" ? "training " : ""}${plain(one.values[at], 4)}`);
    return `job ${job}: ${mine.join(", ") || "–"}`;
  }).join("; ")}`;
  return html`<${Chart} label=${words(name)} axis="epoch" x=${x} series=${series} words=${told} whole />`;
}
