// A chart of lines over epochs or decisions. A sentence below tells the point under the pointer.
import { html, useEffect, useRef, useState } from "./core.js";
import uPlot from "./vendor/uPlot.mjs";

// Okabe and Ito's colours, those first that stand out from the ground.
export const COLOURS = matchMedia("(prefers-color-scheme: dark)").matches
  ? ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00"]
  : ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
const HEIGHT = 210;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 5000];

// `x` has the positions, and each of `series` its `values` there (null: a gap) and its look:
// `colour`, `dash`, `width`. `words(at)` tells the values at a position.
export function Chart({ label, axis, x, series, words, whole = false }) {
  const box = useRef(null);
  const chart = useRef(null);
  const told = useRef(words);
  told.current = words;
  const [at, setAt] = useState(null);
  const data = [x, ...series.map((one) => one.values)];
  const latest = useRef(data);
  latest.current = data;
  const looks = JSON.stringify(series.map((one) => [one.colour, one.dash, one.width]));
  useEffect(() => {
    const css = getComputedStyle(document.documentElement);
    const [quiet, line] = [css.getPropertyValue("--quiet"), css.getPropertyValue("--line")];
    const lines = { stroke: quiet, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1 } };
    chart.current = new uPlot({
      width: box.current.clientWidth || 300, height: HEIGHT, legend: { show: false }, cursor: { y: false, points: { show: false } },
      scales: { x: { time: false } },
      series: [{}, ...series.map((one) => ({
        stroke: one.colour, dash: one.dash, width: one.width || 2, spanGaps: true,
        points: { show: () => latest.current[0].length < 2 },
      }))],
      axes: [{ ...lines, label: axis, labelSize: 18, size: 34, ...(whole ? { incrs: WHOLE } : {}) }, { ...lines, size: 56 }],
      hooks: { setCursor: [(plot) => setAt(plot.cursor.idx ?? null)] },
    }, latest.current, box.current);
    const resize = new ResizeObserver(() => box.current && box.current.clientWidth
      && chart.current.setSize({ width: box.current.clientWidth, height: HEIGHT }));
    resize.observe(box.current);
    return () => { resize.disconnect(); chart.current.destroy(); };
  }, [looks, axis]);
  const key = JSON.stringify(data);
  useEffect(() => { chart.current.setData(latest.current); }, [key]);
  const shown = at === null || at >= x.length ? x.length - 1 : at;
  const sentence = shown < 0 ? "" : told.current(shown);
  return html`<figure class="curve" role="img" aria-label="${label}. ${sentence}">
    <h3>${label}</h3><div ref=${box}></div><figcaption class="quiet said">${sentence}</figcaption></figure>`;
}
