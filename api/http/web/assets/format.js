// Numbers, times and words as people read them.

export function seconds(value) {
  if (value === null || value === undefined || !isFinite(value)) return "–";
  const whole = Math.abs(value);
  if (whole < 1) return `${value.toFixed(1)} s`;
  if (whole < 60) return `${Math.round(value)} s`;
  if (whole < 3600) return `${Math.floor(value / 60)} min ${pad(value % 60)} s`;
  if (whole < 86400) return `${Math.floor(value / 3600)} h ${pad((value % 3600) / 60)} min`;
  return `${Math.floor(value / 86400)} d ${Math.floor((value % 86400) / 3600)} h`;
}

// A time to come, as exactly as an estimate deserves.
export function about(value) {
  if (value < 90) return `${Math.max(1, Math.round(value))} s`;
  if (value < 5400) return `${Math.round(value / 60)} min`;
  return value < 129600 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} d`;
}

const pad = (value) => String(Math.floor(value)).padStart(2, "0");

export const time = (text) => (text ? Date.parse(text) / 1000 : null);
export const now = () => Date.now() / 1000;
export const since = (text) => (text ? now() - time(text) : null);

export function clock(text) {
  if (!text) return "–";
  const date = new Date(text);
  const today = date.toDateString() === new Date().toDateString();
  const hours = date.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
  return today ? hours : `${date.toLocaleDateString([], { month: "short", day: "numeric" })} ${hours}`;
}

export function dollars(value) {
  if (value === null || value === undefined) return "–";
  if (value === 0) return "$0";
  if (Math.abs(value) >= 1) return `$${value.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
  return `$${Number(value.toPrecision(2)).toLocaleString("en-US", { maximumFractionDigits: 9 })}`;
}

export function energy(joules) {
  if (joules === null || joules === undefined) return "–";
  if (joules >= 3.6e5) return `${(joules / 3.6e6).toFixed(joules >= 3.6e7 ? 1 : 2)} kWh`;
  return joules >= 3600 ? `${(joules / 3600).toFixed(1)} Wh` : `${Math.round(joules)} J`;
}

export function bytes(value) {
  if (!value) return value === 0 ? "0 B" : "–";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  const step = Math.min(units.length - 1, Math.floor(Math.log2(value) / 10));
  return `${(value / 1024 ** step).toFixed(step ? 1 : 0)} ${units[step]}`;
}

export const percent = (value, digits = 0) =>
  value === null || value === undefined ? "–" : `${(value * 100).toFixed(digits)} %`;
export const count = (value, word) => `${value.toLocaleString("en-US")} ${word}${value === 1 ? "" : "s"}`;
export const plain = (value, digits = 3) =>
  typeof value === "number" ? Number(value.toPrecision(digits)).toLocaleString("en-US", { maximumFractionDigits: 9 }) : String(value);

export function preference(value) {
  if (value === null || value === undefined) return "";
  return { 0: "cheap", 0.5: "balanced", 1: "fast" }[value] || String(value);
}
