// A job's log as it grows.
import { html, useEffect, useRef, useState } from "./core.js";
import { get } from "./api.js";

const MOST = 2000; // lines that are kept in the page
const TAIL = 500; // lines that are shown at first

export function Log({ job }) {
  const [lines, setLines] = useState([]);
  const [told, setTold] = useState("");
  const [follows, setFollows] = useState(true);
  const box = useRef(null);
  useEffect(() => {
    const waiting = [];
    let drawn = 0;
    let number = 0;
    const draw = () => {
      drawn = 0;
      const fresh = waiting.splice(0);
      setLines((old) => [...old, ...fresh].slice(-MOST));
    };
    const add = (text, attempt) => {
      waiting.push({ key: number++, text, attempt });
      if (!drawn) drawn = requestAnimationFrame(draw);
    };
    let last = 0;
    let stream = null;
    let complete = false;
    // The stream carries on after a break: the browser sends the id of the last line.
    function open() {
      stream = new EventSource(`/v1/jobs/${job}/logs?follow=true&tail=${TAIL}`);
      stream.onmessage = (event) => {
        const attempt = Number(event.lastEventId.split(":")[0]);
        if (last && attempt !== last) add(`— attempt ${attempt} —`, true);
        last = attempt;
        add(event.data);
      };
      stream.addEventListener("end", () => {
        complete = true;
        setTold("complete");
        stream.close();
      });
      stream.onerror = async () => {
        if (stream.readyState !== EventSource.CLOSED) return setTold("connects again …");
        const why = await get(`/v1/jobs/${job}/logs?tail=1`).then(() => "", (error) => error.message);
        setTold(why || "the stream has ended");
      };
      stream.onopen = () => setTold("live");
    }
    // A browser has six connections to the service: a hidden tab must not hold one.
    function seen() {
      if (complete) return;
      stream.close();
      if (document.hidden) return;
      waiting.splice(0);
      last = 0;
      setLines([]);
      open();
    }
    document.addEventListener("visibilitychange", seen);
    open();
    return () => {
      cancelAnimationFrame(drawn);
      document.removeEventListener("visibilitychange", seen);
      stream.close();
    };
  }, [job]);
  useEffect(() => {
    if (follows && box.current) box.current.scrollTop = box.current.scrollHeight;
  }, [lines, follows]);
  function scrolled() {
    const { scrollTop, scrollHeight, clientHeight } = box.current;
    setFollows(scrollHeight - scrollTop - clientHeight < 30);
  }
  return html`<section class="card"><div class="with-note"><h2>Log</h2>
      <span class="quiet" data-log-state>${told}</span>
      ${!follows && html`<button type="button" onClick=${() => setFollows(true)}>To the end</button>`}
      <a class="button" href="/v1/jobs/${job}/logs" download="job-${job}.log">Download</a></div>
    <div class="log" ref=${box} onScroll=${scrolled} tabindex="0" role="log" aria-label="Log of job ${job}">
      ${lines.length ? lines.map((line) => html`<div key=${line.key} class=${line.attempt ? "attempt" : ""}>${line.text || " "}</div>`)
        : html`<span class="quiet">${told === "complete" ? "No output." : "No output yet."}</span>`}
    </div></section>`;
}
