// How policies did against one another, in words and as pictures.
import { html } from "./core.js";
import { get, usePoll } from "./api.js";
import { clock, count, percent, plain, seconds } from "./format.js";
import { Figure, Loading } from "./ui.js";

// A replay evaluation: the difference of the two means with its interval.
export function FitResult({ fit }) {
  if (!fit) return null;
  const { verdict } = fit;
  if (!verdict) return html`<p class="quiet">${fit.state === "running" ? `The replay of ${fit.nominee} and ${fit.rival} is running.` : `${fit.state}: ${fit.error}`}</p>`;
  const better = verdict.difference < 0;
  return html`<h3>${fit.nominee} against ${fit.rival}</h3>
    <p><b>${percent(Math.abs(verdict.difference), 1)} ${better ? "better" : "worse"}</b>${verdict.low !== null && html` <span class="quiet">95 % interval ${signed(verdict.low)} to ${signed(verdict.high)}</span>`}
      ${verdict.shown ? "" : html` — <b>no difference is shown</b>`}. It won ${verdict.won} of ${count(verdict.windows, "workload")} and lost ${verdict.lost}.</p>
    <${Whisker} verdict=${verdict} />
    <p class="quiet">Replayed: ${verdict.about}; ${count(verdict.jobs, "job")}, ${verdict.source}.</p>
    <dl class="figures">
      <${Figure} label="Objective per job">${plain(verdict.nominee)} <small>against ${plain(verdict.rival)}; less is better</small></${Figure}>
      <${Figure} label="Cluster in use">${percent(verdict.utilisation)}</${Figure}>
      <${Figure} label="Jobs waiting">${plain(verdict.queue_mean)} <small>mean, ${plain(verdict.queue_max)} at most</small></${Figure}>
      <${Figure} label="Share of waiting">${percent(verdict.waiting)} <small>of the latency</small></${Figure}></dl>`;
}

const signed = (value) => `${value > 0 ? "+" : "−"}${percent(Math.abs(value), 1)}`;

function Whisker({ verdict }) {
  const ends = [verdict.low ?? verdict.difference, verdict.high ?? verdict.difference, verdict.difference, 0];
  const most = Math.max(0.02, ...ends.map(Math.abs)) * 1.15;
  const at = (value) => `${50 + (50 * value) / most}%`;
  const [low, high] = [ends[0], ends[1]];
  return html`<div class="spread" role="img" aria-label="difference ${signed(verdict.difference)}"><span class="quiet">better ←</span>
    <span class="track"><i class="range" style=${{ left: at(low), width: `${(50 * (high - low)) / most}%` }}></i><i class="zero" style=${{ left: "50%" }}></i>
      <i class="dot" style=${{ left: at(verdict.difference) }}></i></span><span class="quiet">→ worse</span></div>`;
}

// A registered policy beside the heuristics, on the workloads that validated it.
export function Evaluation({ name }) {
  const poll = usePoll((signal) => get(`/v1/policies/${encodeURIComponent(name)}`, { signal }), 0, name);
  const found = poll.data;
  if (!found) return html`<${Loading} poll=${poll} />`;
  const manifest = found.manifest || {};
  const results = Object.entries(manifest.evaluation || {});
  const curve = manifest.curve || [];
  return html`<div class="evaluation">${found.fault && html`<p class="problem">${found.fault}</p>`}
    <p>Trained on ${manifest.scenario || "–"}, ${count(manifest.steps || 0, "decision")}. Its mode is ${manifest.mode || "–"}; version <code>${found.digest}</code>.</p>
    ${results.length > 0 && html`<h3>Objective ÷ the baseline's on validation workloads (less is better)</h3><${Bars} results=${results} />
      <${Fronts} results=${results} />`}
    ${curve.length > 1 && html`<h3>While it trained</h3><table><thead><tr><th>Decisions</th><th class="number">Objective</th><th class="number">Workloads won</th><th class="number">After</th></tr></thead>
      <tbody>${curve.map((one) => { const best = one.averaged || one.raw || {}; return html`<tr><td>${plain(one.steps, 9)}</td><td class="number">${plain(best.mean ?? NaN, 4)}</td><td class="number">${percent(best.won)}</td><td class="number">${seconds(one.seconds)}</td></tr>`; })}</tbody></table>`}
    ${found.history.length > 0 && html`<h3>What happened to it</h3><table><tbody>${found.history.map((one) => html`<tr><td class="moment">${clock(one.at)}</td><td><b>${one.action}</b> by ${one.by}${one.forced ? ", forced" : ""}</td></tr>`)}</tbody></table>`}
  </div>`;
}

function Bars({ results }) {
  const most = Math.max(...results.map(([, one]) => one.mean + (one.error || 0)));
  return html`<div class="spread">${results.map(([name, one]) => html`<span><b>${name === "policy" ? "this policy" : name}</b></span>
    <span class="track"><i style=${{ width: `${(100 * one.mean) / most}%` }}></i></span>
    <span class="number">${plain(one.mean, 3)}${one.error ? ` ± ${plain(one.error, 2)}` : ""}${one.workloads && name === "policy" ? `, won ${percent(one.won)}` : ""}</span>`)}</div>`;
}

// The objective at each preference, from cheap to fast.
function Fronts({ results }) {
  const points = [...new Set(results.flatMap(([, one]) => Object.keys(one.at || {})))].sort((a, b) => a - b);
  if (points.length < 2) return null;
  return html`<table><thead><tr><th>At preference</th>${points.map((one) => html`<th class="number">${one}</th>`)}</tr></thead>
    <tbody>${results.map(([name, one]) => html`<tr><td>${name === "policy" ? "this policy" : name}</td>${points.map((at) => html`<td class="number">${one.at && at in one.at ? plain(one.at[at], 3) : "–"}</td>`)}</tr>`)}</tbody></table>`;
}
