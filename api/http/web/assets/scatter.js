// Points in a plane, such as latency against cost. A sentence tells the point under the pointer.
import { html, useEffect, useRef, useState } from "./core.js";
import { plain } from "./format.js";
import { COLOURS } from "./chart.js";

const HEIGHT = 250;
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 14, 12, 40];
const SIZE = 5;
// A shape for each series besides its colour: nothing depends on colour alone.
const SHAPES = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${y - 1.3 * r}l${1.2 * r} ${2.2 * r}h${-2.4 * r}z`,
  (x, y, r) => `M${x} ${y - 1.4 * r}l${1.4 * r} ${1.4 * r}l${-1.4 * r} ${1.4 * r}l${-1.4 * r} ${-1.4 * r}z`,
  (x, y, r) => `M${x} ${y + 1.3 * r}l${1.2 * r} ${-2.2 * r}h${-2.4 * r}z`,
];

// `series`: [{ name, points: [{ x, y, text, faint }], joined, colour }]. `across` and `up` describe the axes:
// `label`, `log`, `shown(value)`.
export function Scatter({ label, series, across, up }) {
  const box = useRef(null);
  const [width, setWidth] = useState(520);
  const [told, setTold] = useState("");
  useEffect(() => {
    const watch = new ResizeObserver(() => box.current && setWidth(Math.max(240, box.current.clientWidth)));
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  const look = (at) => ({ colour: series[at].colour || COLOURS[at % COLOURS.length], shape: SHAPES[at % SHAPES.length] });
  const all = series.flatMap((one) => one.points);
  const [x, acrossTicks] = scale(all.map((one) => one.x), across, LEFT, width - RIGHT, width < 420 ? 3 : 5);
  const [y, upTicks] = scale(all.map((one) => one.y), up, HEIGHT - BOTTOM, TOP, 5);
  return html`<figure class="curve"><div ref=${box}><svg class="plane" viewBox="0 0 ${width} ${HEIGHT}" height=${HEIGHT} role="group" aria-label=${label}>
    ${upTicks.map((at) => html`<g key=${`y${at}`}><line class="axis" x1=${LEFT} x2=${width - RIGHT} y1=${y(at)} y2=${y(at)} />
      <text x=${LEFT - 6} y=${y(at) + 4} text-anchor="end">${(up.shown || plain)(at)}</text></g>`)}
    ${acrossTicks.map((at) => html`<g key=${`x${at}`}><line class="axis" x1=${x(at)} x2=${x(at)} y1=${TOP} y2=${HEIGHT - BOTTOM} />
      <text x=${x(at)} y=${HEIGHT - BOTTOM + 15} text-anchor="middle">${(across.shown || plain)(at)}</text></g>`)}
    <text x=${(LEFT + width - RIGHT) / 2} y=${HEIGHT - 6} text-anchor="middle">${across.label}</text>
    ${series.map((one, at) => html`<g key=${one.name} style=${{ color: look(at).colour }}>
      ${one.joined && one.points.length > 1 && html`<polyline class="joined" points=${one.points.map((point) => `${x(point.x)},${y(point.y)}`).join(" ")} />`}
      ${one.points.map((point, n) => html`<path key=${n} class="point ${point.faint ? "faint" : ""}" d=${look(at).shape(x(point.x), y(point.y), SIZE)} tabindex="0" role="img"
        aria-label=${point.text} onMouseEnter=${() => setTold(point.text)} onFocus=${() => setTold(point.text)} />`)}</g>`)}
  </svg></div>
  ${series.length > 1 && html`<ul class="legend">${series.map((one, at) => html`<li key=${one.name}><svg width="14" height="14" aria-hidden="true" style=${{ color: look(at).colour }}>
    <path class="point" d=${look(at).shape(7, 7, 4)} /></svg> ${one.name}</li>`)}</ul>`}
  <figcaption class="quiet said">${told || `${up.label}. Point at a mark, or reach it with Tab.`}</figcaption></figure>`;
}

// Value → place between two ends, and the ticks.
function scale(values, { log }, low, high, wanted) {
  const change = log ? Math.log10 : (value) => value;
  const inner = values.map(change);
  let [from, to] = [Math.min(...inner), Math.max(...inner)];
  const room = (to - from) * 0.06 || Math.abs(to) * 0.1 || 1;
  [from, to] = [from - room, to + room];
  const place = (value) => low + ((change(value) - from) / (to - from)) * (high - low);
  return [place, log && to - from > 1 ? decades(from, to, wanted) : even(log ? 10 ** from : from, log ? 10 ** to : to, wanted)];
}

function even(from, to, wanted) {
  const raw = (to - from) / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= raw);
  const first = Math.ceil(from / step);
  return Array.from({ length: Math.floor(to / step) - first + 1 }, (_, at) => Number(((first + at) * step).toPrecision(12)));
}

function decades(from, to, wanted) {
  const step = Math.max(1, Math.ceil((to - from) / wanted));
  const first = Math.ceil(from);
  return Array.from({ length: Math.max(0, Math.floor((to - first) / step) + 1) }, (_, at) => 10 ** (first + at * step));
}
