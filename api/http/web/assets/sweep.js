// One sweep: its trials with the best first, their curves, its parameters, and what pruning saved.
import { html, useState } from "./core.js";
import { get, post, usePoll } from "./api.js";
import { clock, count, dollars, percent, plain, seconds } from "./format.js";
import { COLOURS, Chart } from "./chart.js";
import { Scatter } from "./scatter.js";
import { LIVE } from "./sweeps.js";
import { Confirm, FINAL, Figure, Loading, State, mayChange } from "./ui.js";

const DRAWN = 100; // curves that are drawn at most
const ENDED = ["COMPLETED", "PRUNED", "FAILED", "CANCELLED"];
// How the curve of a trial is drawn: by its fate, with a dash besides the colour.
const LOOKS = {
  best: { colour: COLOURS[0], width: 3, dash: [] }, live: { colour: COLOURS[2], width: 2, dash: [] },
  completed: { colour: "#8a96a3", width: 1.4, dash: [] }, pruned: { colour: COLOURS[1], width: 1.4, dash: [5, 4] },
  stopped: { colour: COLOURS[3], width: 1.4, dash: [1, 4] },
};
const FATES = { best: "best", live: "waits or runs", completed: "completed", pruned: "pruned", stopped: "failed or cancelled" };

export function SweepPage({ id, session }) {
  const [live, setLive] = useState(true);
  const poll = usePoll(async (signal) => {
    const found = await get(`/v1/sweeps/${encodeURIComponent(id)}?curves=true`, { signal });
    setLive(!found.final);
    return found;
  }, live ? 4 : 0, id);
  const sweep = poll.data;
  if (!sweep) return html`<${Loading} poll=${poll} what="the sweep" />`;
  const best = sweep.listing.find((one) => one.number === sweep.best);
  const done = sweep.listing.filter((one) => ENDED.includes(one.state)).length;
  const whole = sweep.saved_device_s + sweep.device_s;
  return html`<article data-sweep-page=${sweep.id}>
    <div class="head"><h1><span class="id">${sweep.id}</span> ${sweep.name || `sweep ${sweep.id}`}</h1><${State} state=${sweep.state} />
      <span class="actions"><a class="button" href="#/jobs?sweep=${sweep.id}">Its jobs</a>
        <${Cancel} sweep=${sweep} session=${session} changed=${poll.reload} /></span></div>
    <section class="card">${sweep.reason && html`<p class="sentence">${sweep.reason}</p>`}<dl class="figures">
      <${Figure} label="Trials ended">${done} of ${sweep.trials} <small>${Object.entries(sweep.counts).map(([state, number]) => `${number} ${state.toLowerCase()}`).join(", ")}</small></${Figure}>
      <${Figure} label="Best ${sweep.metric.replaceAll("_", " ")}">${best ? html`${plain(best.value, 4)} <small><a href="#/jobs/${best.job}">job ${best.job}</a></small>` : "–"}</${Figure}>
      <${Figure} label="Device time">${seconds(sweep.device_s)}</${Figure}>
      <${Figure} label="Cost">${dollars(sweep.dollars)}</${Figure}>
      ${sweep.pruner !== "none" && html`<${Figure} label="Saved by pruning">${sweep.saved_device_s ? html`about ${seconds(sweep.saved_device_s)} <small>${percent(sweep.saved_device_s / whole)} of what all epochs would have taken</small>` : "nothing yet"}</${Figure}>`}
      <${Figure} label="Search">${sweep.method} <small>${sweep.direction}, seed ${sweep.seed}</small></${Figure}>
      <${Figure} label="Pruner">${sweep.pruner}</${Figure}>
      <${Figure} label="At the same time">${sweep.parallel}</${Figure}>
      <${Figure} label="Submitted">${clock(sweep.submitted_at)}</${Figure}>
      <${Figure} label="Ended">${clock(sweep.finished_at)}</${Figure}>
      <${Figure} label="User, project">${sweep.user}, ${sweep.project}</${Figure}></dl></section>
    <${TrialCurves} sweep=${sweep} />
    <${Parameters} sweep=${sweep} />
    <${Trials} sweep=${sweep} />
  </article>`;
}

function Cancel({ sweep, session, changed }) {
  const [open, setOpen] = useState(false);
  if (!mayChange(session, sweep) || sweep.final || !LIVE.includes(sweep.state)) return null;
  return html`<button type="button" class="danger" aria-label="Cancel sweep ${sweep.id}" onClick=${() => setOpen(true)}>Cancel</button>
    ${open && html`<${Confirm} title="Cancel sweep ${sweep.id}?" label="Cancel the sweep" danger close=${() => setOpen(false)} done="Sweep ${sweep.id} is being cancelled."
      run=${async () => { await post(`/v1/sweeps/${sweep.id}/cancel`, {}); changed(); }}>
      <p>No further trial is made. Those that wait or run are cancelled; what has ended stays.</p></${Confirm}>`}`;
}

function fate(sweep, trial) {
  if (trial.number === sweep.best) return "best";
  if (!ENDED.includes(trial.state)) return FINAL.includes(trial.state) ? "stopped" : "live";
  return { COMPLETED: "completed", PRUNED: "pruned" }[trial.state] || "stopped";
}

function TrialCurves({ sweep }) {
  const told = sweep.listing.filter((one) => one.curve && one.curve.length);
  // The best is drawn last, above the others.
  const drawn = told.slice(0, DRAWN).reverse();
  if (!drawn.length) return null;
  const last = Math.max(...drawn.map((one) => one.curve[one.curve.length - 1][0]));
  const x = Array.from({ length: last }, (_, at) => at + 1);
  const series = drawn.map((one) => {
    const byEpoch = new Map(one.curve);
    return { trial: one.number, values: x.map((epoch) => byEpoch.get(epoch) ?? null), ...LOOKS[fate(sweep, one)] };
  });
  const words = (at) => {
    const known = series.filter((one) => one.values[at] !== null).sort((a, b) => (a.values[at] - b.values[at]) * (sweep.direction === "minimize" ? 1 : -1));
    if (!known.length) return `Epoch ${x[at]}`;
    const middle = known[Math.floor((known.length - 1) / 2)];
    return `Epoch ${x[at]}: trial ${known[0].trial} leads with ${plain(known[0].values[at], 4)}; median of ${count(known.length, "trial")} ${plain(middle.values[at], 4)}`;
  };
  const seen = Object.keys(LOOKS).filter((name) => drawn.some((one) => fate(sweep, one) === name));
  return html`<section class="card"><h2>Curves of the trials</h2>
    <ul class="legend">${seen.map((name) => html`<li key=${name}><i class=${LOOKS[name].dash.length ? (LOOKS[name].dash[0] === 1 ? "dotted" : "dashed") : ""} style=${{ borderColor: LOOKS[name].colour }}></i>${FATES[name]}</li>`)}</ul>
    <${Chart} label=${sweep.metric.replaceAll("_", " ")} axis="epoch" x=${x} series=${series} words=${words} whole />
    ${told.length > DRAWN && html`<p class="quiet">The best ${DRAWN} of ${told.length} trials are drawn.</p>`}</section>`;
}

const short = (name) => name.replace(/^work\./, "");
const value = (given) => (typeof given === "number" ? plain(given, 4) : typeof given === "object" && given !== null ? JSON.stringify(given) : String(given));

// The metric against each parameter that is a number.
function Parameters({ sweep }) {
  const tried = sweep.listing.filter((one) => one.value !== null);
  const names = Object.keys((tried[0] || { parameters: {} }).parameters)
    .filter((name) => tried.every((one) => typeof one.parameters[name] === "number") && new Set(tried.map((one) => one.parameters[name])).size > 1);
  if (tried.length < 3 || !names.length) return null;
  const fates = Object.keys(FATES).filter((name) => tried.some((one) => fate(sweep, one) === name));
  return html`<section class="card"><h2>What the parameters did</h2><div class="grid">${names.map((name) => {
    const all = tried.map((one) => one.parameters[name]);
    const log = Math.min(...all) > 0 && Math.max(...all) / Math.min(...all) > 50;
    const series = fates.map((kind) => ({
      name: FATES[kind], colour: LOOKS[kind].colour, points: tried.filter((one) => fate(sweep, one) === kind).map((one) => ({
        x: one.parameters[name], y: one.value,
        text: `Trial ${one.number}, ${FATES[kind]}: ${short(name)} ${value(one.parameters[name])} gave ${plain(one.value, 4)}`,
      })),
    }));
    return html`<${Scatter} key=${name} label="${sweep.metric} against ${short(name)}" series=${series}
      across=${{ label: short(name).replaceAll("_", " "), log }} up=${{ label: sweep.metric.replaceAll("_", " ") }} />`;
  })}</div></section>`;
}

function Trials({ sweep }) {
  const names = [...new Set(sweep.listing.flatMap((one) => Object.keys(one.parameters)))];
  return html`<section class="card"><h2>Trials, the best first</h2>${!sweep.listing.length ? html`<p class="quiet">None was made yet.</p>` : html`<div class="scroll"><table class="stack" data-trials><thead><tr>
      <th>Trial</th><th>State</th><th class="number">${sweep.metric.replaceAll("_", " ")}</th>${names.map((name) => html`<th class="number">${short(name).replaceAll("_", " ")}</th>`)}
      <th class="number">Epoch</th><th class="number">Device time</th><th class="number">Cost</th></tr></thead>
    <tbody>${sweep.listing.map((one) => html`<tr key=${one.number} class=${one.number === sweep.best ? "on" : ""} data-trial=${one.number}>
      <td class="wide">${one.job ? html`<a href="#/jobs/${one.job}"><b>${one.number}</b> <small>job ${one.job}</small></a>` : html`<b>${one.number}</b>`}</td>
      <td class="reason wide"><${State} state=${one.state} /> ${one.number === sweep.best && html`<span class="tag on">best</span>`}${one.reason && html`<small>${one.reason}</small>`}</td>
      <td class="number" data-label=${sweep.metric.replaceAll("_", " ")}>${one.value === null ? "–" : plain(one.value, 4)}</td>
      ${names.map((name) => html`<td class="number" data-label=${short(name).replaceAll("_", " ")}>${name in one.parameters ? value(one.parameters[name]) : "–"}</td>`)}
      <td class="number" data-label="epoch">${one.epoch ?? "–"}${one.epochs ? `/${one.epochs}` : ""}</td>
      <td class="number" data-label="device time">${seconds(one.device_s)}${one.saved_device_s ? html`<small>≈ ${seconds(one.saved_device_s)} saved</small>` : ""}</td>
      <td class="number" data-label="cost">${dollars(one.dollars)}</td></tr>`)}</tbody></table></div>`}</section>`;
}
