// The device timeline: what ran on each device, what runs, and what is planned next.
import { html, useEffect, useRef, useState } from "./core.js";
import { get, query, usePoll } from "./api.js";
import { about, clock, count, dollars, now, seconds, time } from "./format.js";
import { Loading } from "./ui.js";

const SPANS = [[900, "15 min"], [3600, "1 h"], [21600, "6 h"], [86400, "24 h"]];
const LANE = 24;
const HEAD = 22;
const LEFT = 108;
const MOST_LANES = 64;

export function Timeline({ pools }) {
  const [span, setSpan] = useState(3600);
  const [told, setTold] = useState(null);
  const past = usePoll((signal) => get(`/v1/attempts${query({
    since: new Date((now() - span) * 1000).toISOString(), limit: 1000,
  })}`, { signal }), 5, `past ${span}`);
  const forecast = usePoll((signal) => get("/v1/forecast", { signal }), 5, "forecast");
  const box = useRef(null);
  const [width, setWidth] = useState(900);
  useEffect(() => {
    const watch = new ResizeObserver(() => box.current && setWidth(Math.max(300, box.current.clientWidth)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const lanes = lanesOf(pools);
  const blocks = blocksOf(lanes, past.data, forecast.data);
  const planned = forecast.data ? forecast.data.waiting.length : 0;
  const soon = planned ? `, the first ${until(forecast.data.waiting[0].start)}` : "";
  return html`<section class="card"><div class="with-note"><h2>Devices over time</h2>
      ${forecast.data && html`<span class="quiet">${count(planned, "start")} planned${soon}${forecast.data.depth > planned ? `, ${forecast.data.depth - planned} not in sight` : ""}</span>`}
      <div class="chips" role="group" aria-label="Time shown">${SPANS.map(([value, label]) => html`
        <button type="button" key=${value} aria-pressed=${span === value} onClick=${() => setSpan(value)}>${label}</button>`)}</div></div>
    <ul class="legend"><li><span class="swatch past"></span>ended</li><li><span class="swatch failed"></span>failed or stopped</li>
      <li><span class="swatch running"></span>running</li><li><span class="swatch planned"></span>planned next</li></ul>
    ${forecast.data && forecast.data.note && html`<p class="note">${forecast.data.note}</p>`}
    <${Loading} poll=${past} what="attempts" />
    <div ref=${box}><${Drawing} lanes=${lanes} blocks=${blocks} span=${span} width=${width} tell=${setTold} /></div>
    <${Said} block=${told} />
    ${pools.reduce((sum, pool) => sum + pool.count, 0) > MOST_LANES && html`<p class="quiet">The first ${MOST_LANES} devices are drawn.</p>`}
  </section>`;
}

function until(moment) {
  const left = time(moment) - now();
  return left > 1 ? `in about ${about(left)}` : "now";
}

function lanesOf(pools) {
  const lanes = pools.flatMap((pool) => Array.from({ length: pool.count }, (_, device) => ({ pool: pool.name, device })));
  return lanes.slice(0, MOST_LANES);
}

// Attempts lie on the devices that they had. A planned job gets devices of its pool that are free
// by then: the forecast names its pool and width, and the devices are chosen when it starts.
function blocksOf(lanes, past, forecast) {
  const at = new Map(lanes.map((lane, row) => [`${lane.pool} ${lane.device}`, row]));
  const free = lanes.map(() => 0);
  const expected = new Map((forecast ? forecast.running : []).map((one) => [one.job, one]));
  const blocks = [];
  for (const one of past ? past.attempts : []) {
    const live = !one.finished_at;
    const start = time(one.started_at || one.placed_at);
    const known = expected.get(one.job);
    const end = live ? Math.max(now(), known ? time(known.end) : now()) : time(one.finished_at);
    const rows = one.devices.map((device) => at.get(`${one.pool} ${device}`)).filter((row) => row !== undefined);
    const bad = !live && one.state !== "SUCCEEDED";
    if (live) for (const row of rows) free[row] = end;
    blocks.push({ key: one.id, job: one.job, rows, start, end, kind: live ? "running" : "past", bad, attempt: one });
  }
  for (const one of forecast ? forecast.waiting : []) {
    const start = time(one.start);
    const rows = lanes.map((_, row) => row).filter((row) => lanes[row].pool === one.pool)
      .sort((a, b) => (free[a] > start + 1) - (free[b] > start + 1) || free[b] - free[a] || a - b).slice(0, one.width);
    for (const row of rows) free[row] = time(one.end);
    blocks.push({ key: `plan ${one.job}`, job: one.job, rows, start, end: time(one.end), kind: "planned", plan: one });
  }
  return blocks;
}

function Drawing({ lanes, blocks, span, width, tell }) {
  const here = now();
  const left = width < 520 ? 58 : LEFT;
  // As far ahead as there is anything, one span at most; further for the next planned start.
  const next = Math.min(...blocks.filter((block) => block.kind === "planned").map((block) => block.start - here));
  const last = Math.max(span / 6, ...blocks.map((block) => block.end - here));
  const ahead = Math.max(Math.min(span, last), isFinite(next) ? Math.min(4 * span, next * 1.2) : 0);
  // As far back as anything began, too.
  const began = Math.max(span / 20, ...blocks.map((block) => here - block.start));
  const [from, to] = [here - Math.min(span * 0.6, began * 1.05), here + ahead];
  const x = (moment) => left + ((moment - from) / (to - from)) * (width - left - 4);
  const height = HEAD + lanes.length * LANE + 4;
  const seen = blocks.filter((block) => block.end >= from && block.start <= to && block.rows.length);
  const step = [60, 120, 300, 600, 1800, 3600, 7200, 14400].find((one) => (to - from) / one <= width / 90) || 28800;
  const marks = [];
  for (let mark = Math.ceil(from / step) * step; mark < to; mark += step) marks.push(mark);
  return html`<svg class="timeline" viewBox="0 0 ${width} ${height}" height=${height} role="group" aria-label="Device timeline">
    <defs><pattern id="hatch" width="7" height="7" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
      <rect class="hatch-ground" width="7" height="7" /><line class="hatch" x1="0" y1="0" x2="0" y2="7" stroke-width="3" stroke-opacity=".55" /></pattern></defs>
    ${marks.map((mark) => html`<g key=${mark}><line class="axis" x1=${x(mark)} x2=${x(mark)} y1=${HEAD - 4} y2=${height} />
      <text x=${x(mark) + 3} y="12">${new Date(mark * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" })}</text></g>`)}
    ${lanes.map((lane, row) => html`<g key=${row}><line class="axis" x1="0" x2=${width} y1=${HEAD + row * LANE} y2=${HEAD + row * LANE} />
      <text class="label" x="2" y=${HEAD + row * LANE + 16}>${clip(lane.pool, left < LEFT ? 5 : 12)} ${lane.device}</text></g>`)}
    ${seen.map((block) => html`<${Block} key=${block.key} block=${block} x=${x} from=${from} tell=${tell} />`)}
    <line class="now" x1=${x(here)} x2=${x(here)} y1="14" y2=${height} />
  </svg>`;
}

function Block({ block, x, from, tell }) {
  const start = x(Math.max(from, block.start));
  const wide = Math.max(2.5, x(block.end) - start);
  const look = `${block.kind}${block.bad ? " failed" : ""}`;
  const open = () => { location.hash = `#/jobs/${block.job}`; };
  const leave = (event) => event.key === "Enter" && open();
  return html`<g class="block ${block.kind}" tabindex="0" role="link" aria-label=${told(block)}
    onMouseEnter=${() => tell(block)} onFocus=${() => tell(block)} onClick=${open} onKeyDown=${leave}>
    ${block.rows.map((row) => html`<rect key=${row} class=${look} x=${start} y=${HEAD + row * LANE + 2} width=${wide} height=${LANE - 4} rx="3" />
      ${wide > 26 && html`<text x=${start + 5} y=${HEAD + row * LANE + 16}>${clip(String(block.job), Math.floor(wide / 7))}</text>`}`)}
  </g>`;
}

const clip = (text, most) => (text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text);

function told(block) {
  if (block.kind === "planned") {
    const { plan } = block;
    return `Job ${plan.job} is planned on ${plan.pool} × ${plan.width}: it starts about ${clock(plan.start)}, in ${seconds(Math.max(0, block.start - now()))}, runs ${seconds(block.end - block.start)} and costs about ${dollars(plan.dollars)}`;
  }
  const { attempt } = block;
  const where = `on ${attempt.pool} × ${attempt.width}`;
  if (block.kind === "running") return `Job ${attempt.job} runs ${where} since ${clock(attempt.started_at)}, to about ${clock(new Date(block.end * 1000).toISOString())}`;
  return `Job ${attempt.job} ran ${where} for ${seconds(block.end - block.start)}: ${attempt.exit_reason || attempt.state.toLowerCase()}; it cost ${dollars(attempt.dollars)}`;
}

// The sentence about the block under the pointer or focus, with the reason of its decision.
function Said({ block }) {
  const key = block ? block.job : 0;
  const why = usePoll(async (signal) => (key ? get(`/v1/jobs/${key}/explain`, { signal }) : {}), 0, key);
  if (!block) return html`<p class="quiet said">Point at a job, or reach it with Tab, to see why it is there.</p>`;
  const found = why.data && why.data.job ? why.data : null;
  const [decision] = found ? found.decisions : [];
  const reason = !found ? "" : block.kind === "planned" ? found.text : decision ? decision.reason : found.text;
  return html`<p class="said" aria-live="polite"><a href="#/jobs/${block.job}"><b>${found ? found.job.name || `job ${block.job}` : `job ${block.job}`}</b></a> — ${told(block)}.<br /><span class="quiet">${reason}</span></p>`;
}
