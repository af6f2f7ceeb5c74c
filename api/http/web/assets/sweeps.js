// Searches of hyper-parameters: the list of sweeps.
import { html, useState } from "./core.js";
import { get, query, usePoll } from "./api.js";
import { clock } from "./format.js";
import { Loading, State } from "./ui.js";

export const LIVE = ["RUNNING", "CANCELLING"];
const GROUPS = [["", "All"], [LIVE.join(), "Running"], ["SUCCEEDED", "Succeeded"], ["FAILED", "Failed"], ["CANCELLED", "Cancelled"]];
const ROWS = 50;

export function Sweeps({ session }) {
  const [state, setState] = useState("");
  const [mine, setMine] = useState(false);
  const [cursors, setCursors] = useState([""]);
  const address = `/v1/sweeps${query({ state, user: mine && session.user, limit: ROWS, cursor: cursors[cursors.length - 1] })}`;
  const poll = usePoll((signal) => get(address, { signal }), 4, address);
  const found = poll.data ? poll.data.sweeps : [];
  const first = (change) => { setCursors([""]); change(); };
  return html`<section><div class="head"><h1>Sweeps</h1></div>
    <div class="filters"><div class="chips" role="group" aria-label="State">${GROUPS.map(([value, label]) => html`<button type="button" key=${label}
        aria-pressed=${state === value} onClick=${() => first(() => setState(value))}>${label}</button>`)}</div>
      <label class="check"><input type="checkbox" checked=${mine} onChange=${(event) => first(() => setMine(event.target.checked))} /> only mine</label></div>
    <${Loading} poll=${poll} what="sweeps" />
    ${poll.data && !found.length && html`<p class="empty">${state || mine ? "No sweep matches." : html`No sweep was submitted yet. A sweep tries settings of a training or a program: <code>fulcrum submit examples/sweep.yaml</code>`}</p>`}
    ${found.length > 0 && html`<section class="card"><div class="scroll"><table class="stack"><thead><tr><th>Sweep</th><th>State</th><th>Search</th><th class="number">Trials</th><th>Ended</th></tr></thead>
      <tbody>${found.map((one) => html`<tr key=${one.id} data-sweep=${one.id}>
        <td class="name wide"><a href="#/sweeps/${one.id}"><span class="id">${one.id}</span> ${one.name || `sweep ${one.id}`}</a><small>${one.user} · ${one.project} · ${clock(one.submitted_at)}</small></td>
        <td class="wide"><${State} state=${one.state} /><small>${one.reason}</small></td>
        <td class="wide">${one.method}, ${one.direction} ${one.metric}<small>${one.pruner === "none" ? "no trial is stopped early" : `pruner ${one.pruner}`}</small></td>
        <td class="number" data-label="trials">${one.trials}</td><td data-label="ended">${clock(one.finished_at)}</td></tr>`)}</tbody></table></div></section>`}
    ${poll.data && (cursors.length > 1 || poll.data.next_cursor) && html`<div class="paging">
      <button type="button" disabled=${cursors.length === 1} onClick=${() => setCursors(cursors.slice(0, -1))}>← Newer</button>
      <button type="button" disabled=${!poll.data.next_cursor} onClick=${() => setCursors([...cursors, poll.data.next_cursor])}>Older →</button></div>`}
  </section>`;
}
