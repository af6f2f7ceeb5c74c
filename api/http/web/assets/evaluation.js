// How policies did against one another, in words and as pictures.
import { html } from "./core.js";
import { get, usePoll } from "./api.js";
import { clock, count, dollars, percent, plain, seconds } from "./format.js";
import { Figure, Loading } from "./ui.js";
import { COLOURS, Chart } from "./chart.js";
import { Scatter } from "./scatter.js";

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
      <${Figure} label="Share of waiting">${percent(verdict.waiting)} <small>of the latency</small></${Figure}></dl>
    ${typeof verdict.nominee_latency_s === "number" && typeof verdict.rival_latency_s === "number" && html`<h3>Latency and cost in this replay</h3><${TradeOffs} relative=${false} found=${[
      { policy: fit.nominee, preference: fit.preference, latency: verdict.nominee_latency_s, cost: verdict.nominee_dollars },
      { policy: fit.rival, preference: fit.preference, latency: verdict.rival_latency_s, cost: verdict.rival_dollars }]} />`}`;
}

// Latency against cost: a mark for each policy and preference. Those that another policy beats in
// both are hollow; the others are the front.
function TradeOffs({ found, relative }) {
  const known = found.filter((one) => typeof one.latency === "number" && typeof one.cost === "number");
  const beaten = (one) => known.some((other) => other.latency <= one.latency && other.cost <= one.cost
    && (other.latency < one.latency || other.cost < one.cost));
  const [latency, cost] = relative ? [(value) => `${plain(value, 3)} ×`, (value) => `${plain(value, 3)} ×`] : [seconds, dollars];
  const series = [...new Set(known.map((one) => one.policy))].map((policy) => {
    const mine = known.filter((one) => one.policy === policy);
    // A policy that heeds no preference has one mark.
    const points = mine.every((one) => one.latency === mine[0].latency && one.cost === mine[0].cost) ? mine.slice(0, 1) : mine;
    return {
      name: policy, joined: true,
      points: points.map((one) => ({
        x: one.cost, y: one.latency, faint: beaten(one),
        text: `${policy}${points.length > 1 ? ` at preference ${one.preference}` : ""}: ${latency(one.latency)} from submission to end, ${cost(one.cost)} for each job${beaten(one) ? "; another is better in both" : ""}`,
      })),
    };
  });
  const unit = relative ? " ÷ the reference's" : "";
  return html`<${Scatter} label="Mean latency against mean cost" series=${series} across=${{ label: `mean cost of a job${unit}; less is better`, shown: relative ? cost : (value) => `$${plain(value, 5)}` }}
    up=${{ label: `Mean time from submission to end${unit}`, shown: latency }} />`;
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
  const test = found.history.map((one) => one.trial).filter(Boolean).pop();
  return html`<div class="evaluation">${found.fault && html`<p class="problem">${found.fault}</p>`}
    <p>Trained on ${manifest.scenario || "–"}, ${count(manifest.steps || 0, "decision")}. Its mode is ${manifest.mode || "–"}; version <code>${found.digest}</code>.</p>
    ${results.length > 0 && html`<h3>Objective ÷ the baseline's on validation workloads (less is better)</h3><${Bars} results=${results} />
      <${Fronts} results=${results} />`}
    ${test && Array.isArray(test.trade_offs) && html`<h3>Latency and cost in its promotion test, on ${String(test.scenario)}</h3><${TradeOffs} found=${test.trade_offs} relative=${test.relative} />`}
    ${curve.length > 1 && html`<h3>While it trained</h3><${TrainingCurve} curve=${curve} results=${results} /><details><summary>As a table</summary><table><thead><tr><th>Decisions</th><th class="number">Objective</th><th class="number">Workloads won</th><th class="number">After</th></tr></thead>
      <tbody>${curve.map((one) => { const best = one.averaged || one.raw || {}; return html`<tr><td>${plain(one.steps, 9)}</td><td class="number">${plain(best.mean ?? NaN, 4)}</td><td class="number">${percent(best.won)}</td><td class="number">${seconds(one.seconds)}</td></tr>`; })}</tbody></table></details>`}
    ${found.history.length > 0 && html`<h3>What happened to it</h3><table><tbody>${found.history.map((one) => html`<tr><td class="moment">${clock(one.at)}</td><td><b>${one.action}</b> by ${one.by}${one.forced ? ", forced" : ""}</td></tr>`)}</tbody></table>`}
  </div>`;
}

// The validations of a training, beside what the best heuristics reached.
function TrainingCurve({ curve, results }) {
  const x = curve.map((one) => one.steps);
  const means = (name) => curve.map((one) => (one[name] ? one[name].mean : null));
  const rivals = results.filter(([name]) => name !== "policy").sort(([, a], [, b]) => a.mean - b.mean).slice(0, 2);
  const series = [
    { name: "this policy", colour: COLOURS[0], width: 2.4, dash: [], values: means("raw") },
    ...(curve.some((one) => one.averaged) ? [{ name: "averaged weights", colour: COLOURS[2], width: 2.4, dash: [], values: means("averaged") }] : []),
    ...rivals.map(([name, one], at) => ({ name, colour: COLOURS[[1, 3][at]], width: 1.4, dash: [[5, 4], [1, 4]][at], values: x.map(() => one.mean) })),
  ];
  const words = (at) => `After ${plain(x[at], 9)} decisions: ${series.map((one) => `${one.name} ${one.values[at] === null ? "–" : plain(one.values[at], 4)}`).join(", ")}`;
  return html`<ul class="legend">${series.map((one) => html`<li key=${one.name}><i class=${["", "dashed", "dotted"][one.dash.length ? (one.dash[0] === 1 ? 2 : 1) : 0]} style=${{ borderColor: one.colour }}></i>${one.name}</li>`)}</ul>
    <${Chart} label="Objective ÷ the baseline's on validation workloads (less is better)" axis="decisions" x=${x} series=${series} words=${words} />`;
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
