// Curves of metrics per epoch, of one training or several side by side.
import { html, useEffect, useRef, useState } from "./core.js";
import { get, query, usePoll } from "./api.js";
import { plain } from "./format.js";
import { FINAL, Loading, jobTitle } from "./ui.js";
import uPlot from "./vendor/uPlot.mjs";

// Okabe and Ito's colours, those first that stand out from the ground; training is dashed.
const COLOURS = matchMedia("(prefers-color-scheme: dark)").matches
  ? ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00"]
  : ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const CHARTS = [["accuracy", "Accuracy"], ["loss", "Loss"]];

// Rows per epoch of a job; a later attempt goes on after the epoch that it resumed from.
async function epochs(job, signal) {
  const { attempts } = await get(`/v1/jobs/${job}/metrics?kind=epoch`, { signal });
  const byEpoch = new Map();
  for (const line of attempts.flatMap((one) => one.lines)) byEpoch.set(line.epoch, line);
  return [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
}

export function Curves({ job }) {
  const [others, setOthers] = useState([]);
  const shown = [job.id, ...others];
  const live = !FINAL.includes(job.state);
  const poll = usePoll(async (signal) => Promise.all(shown.map((one) => epochs(one, signal))),
    live ? 4 : 0, `${shown}${live}`);
  const rows = poll.data || [];
  return html`<section class="card"><div class="with-note"><h2>Training curves</h2>
      <${Compare} job=${job} others=${others} change=${setOthers} /></div>
    <${Loading} poll=${poll} what="metrics" />
    ${poll.data && !rows.some((one) => one.length) ? html`<p class="quiet">No epoch has ended yet.</p>` : html`
      <ul class="legend">${shown.map((one, at) => html`<li key=${one}><i style=${{ borderColor: COLOURS[at % COLOURS.length] }}></i>job ${one}</li>`)}
        <li><i></i>validation</li><li><i class="dashed"></i>training</li></ul>
      <div class="grid">${CHARTS.map(([name, label]) => html`<${Chart} key=${name} name=${name} label=${label} jobs=${shown} rows=${rows} />`)}</div>`}
  </section>`;
}

function Compare({ job, others, change }) {
  const [found, setFound] = useState([]);
  async function look() {
    const { jobs } = await get(`/v1/jobs${query({ kind: "cnn-train", limit: 200 })}`);
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

// Several jobs' rows as uPlot wants them: epochs, then one column per curve, with gaps.
function columns(name, rows) {
  const last = Math.max(0, ...rows.map((one) => (one.length ? one[one.length - 1].epoch : 0)));
  const x = Array.from({ length: last }, (_, at) => at + 1);
  const curves = rows.flatMap((lines) => {
    const byEpoch = new Map(lines.map((line) => [line.epoch, line]));
    return ["validation", "train"].map((part) => x.map((epoch) => {
      const value = byEpoch.get(epoch) && byEpoch.get(epoch)[`${part}_${name}`];
      return typeof value === "number" && isFinite(value) ? value : null;
    }));
  });
  return [x, ...curves];
}

function Chart({ name, label, jobs, rows }) {
  const box = useRef(null);
  const chart = useRef(null);
  const [point, setPoint] = useState("");
  const data = columns(name, rows);
  const latest = useRef(data);
  latest.current = data;
  const key = jobs.join();
  useEffect(() => {
    const css = getComputedStyle(document.documentElement);
    const [quiet, line] = [css.getPropertyValue("--quiet"), css.getPropertyValue("--line")];
    const axis = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    const series = jobs.flatMap((_, at) => [[], [5, 4]].map((dash) => ({
      stroke: COLOURS[at % COLOURS.length], width: dash.length ? 1.4 : 2.2, dash, spanGaps: true,
      points: { show: data[0].length < 2 },
    })));
    const tell = (plot) => {
      const at = plot.cursor.idx;
      setPoint(at === null || at === undefined ? "" : words(latest.current, jobs, at));
    };
    chart.current = new uPlot({
      width: box.current.clientWidth, height: 210, legend: { show: false }, cursor: { y: false },
      scales: { x: { time: false } }, series: [{}, ...series],
      axes: [{ ...axis, label: "epoch", labelSize: 18, size: 34, stroke: quiet, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000] }, { ...axis, size: 52 }],
      hooks: { setCursor: [tell] },
    }, data, box.current);
    const resize = new ResizeObserver(() => box.current && chart.current.setSize({ width: box.current.clientWidth, height: 210 }));
    resize.observe(box.current);
    return () => { resize.disconnect(); chart.current.destroy(); };
  }, [key, rows.length]);
  useEffect(() => { if (chart.current && data.length === chart.current.series.length) chart.current.setData(data); }, [rows]);
  const last = data[0].length - 1;
  return html`<figure class="curve" role="img" aria-label="${label} per epoch. ${last < 0 ? "" : words(data, jobs, last)}">
    <h3>${label}</h3><div ref=${box}></div>
    <figcaption class="quiet said">${point || (last < 0 ? "" : words(data, jobs, last))}</figcaption></figure>`;
}

function words(data, jobs, at) {
  const value = (number) => (number === null || number === undefined ? "–" : plain(number, 4));
  const told = jobs.map((job, n) => `job ${job}: ${value(data[1 + 2 * n][at])} (training ${value(data[2 + 2 * n][at])})`);
  return `Epoch ${data[0][at]}: ${told.join("; ")}`;
}
