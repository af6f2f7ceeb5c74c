// Requests to the service's HTTP API. The browser adds the session's cookie, which no script sees.
import { useCallback, useEffect, useRef, useState } from "./core.js";

export class Problem extends Error {
  constructor(status, document) {
    super(document.detail || document.title || `the service answered ${status}`);
    this.status = status;
    this.errors = document.errors || [];
  }
}

export async function request(method, path, body, options = {}) {
  const headers = { Accept: "application/json", ...options.headers };
  if (method !== "GET") headers["Fulcrum-Page"] = "1";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, {
      method, headers, signal: options.signal,
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Problem(0, { detail: "the service cannot be reached" });
  }
  const json = (response.headers.get("Content-Type") || "").includes("json");
  const answer = json ? await response.json() : await response.text();
  if (!response.ok) {
    if (response.status === 401 && path !== "/v1/session") dispatchEvent(new Event("signed-out"));
    throw new Problem(response.status, json ? answer : {});
  }
  return answer;
}

export const get = (path, options) => request("GET", path, undefined, options);
export const post = (path, body, headers) => request("POST", path, body, { headers });
export const put = (path, body) => request("PUT", path, body);
export const patch = (path, body) => request("PATCH", path, body);

// A key for one click: a repeated request with it is carried out once.
export function idempotencyKey() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

export function query(values) {
  const found = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== "" && one !== null && one !== undefined && one !== false) found.append(name, one);
    }
  }
  const text = found.toString();
  return text && `?${text}`;
}

// What `load(signal)` answers, again every `seconds` while the page is visible (0: once), and at
// once when `key` changes. The last answer stays while the next one is on its way.
export function usePoll(load, seconds, key) {
  const [state, setState] = useState({ key, data: null, error: null });
  const latest = useRef(load);
  latest.current = load;
  const wake = useRef(() => {});
  useEffect(() => {
    const stop = new AbortController();
    let timer = 0;
    let busy = false;
    async function turn() {
      clearTimeout(timer);
      if (busy || stop.signal.aborted) return;
      if (!document.hidden) {
        busy = true;
        try {
          const data = await latest.current(stop.signal);
          if (!stop.signal.aborted) setState({ key, data, error: null });
        } catch (error) {
          if (!stop.signal.aborted) setState((old) => ({
            key, data: old.key === key ? old.data : null, error,
          }));
        }
        busy = false;
      }
      if (seconds && !stop.signal.aborted) timer = setTimeout(turn, seconds * 1000);
    }
    wake.current = turn;
    const seen = () => !document.hidden && turn();
    document.addEventListener("visibilitychange", seen);
    turn();
    return () => {
      stop.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [key, seconds]);
  const reload = useCallback(() => wake.current(), []);
  const fresh = state.key === key;
  return { data: fresh ? state.data : null, error: fresh ? state.error : null, reload };
}
