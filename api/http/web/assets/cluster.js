// Pools and nodes with their prices, and what their devices did, do and will do.
import { html, useState } from "./core.js";
import { get, post, usePoll } from "./api.js";
import { bytes, clock, count, plain } from "./format.js";
import { Confirm, Dialog, Figure, Loading, State, say } from "./ui.js";
import { Timeline } from "./timeline.js";

export function Cluster({ session }) {
  const poll = usePoll((signal) => get("/v1/cluster", { signal }), 3, "cluster");
  const nodes = usePoll((signal) => get("/v1/nodes", { signal }), 5, "nodes");
  const cluster = poll.data;
  return html`<section>
    <div class="head"><h1>Cluster</h1>${cluster && html`<span class="quiet">${count(cluster.active, "job")} on devices, ${count(cluster.queued, "job")} waiting · decided by <a href="#/policies">${cluster.policy.name}</a></span>`}</div>
    <${Loading} poll=${poll} what="the cluster" />
    ${cluster && cluster.leader && cluster.leader.follows && html`<p class="note">This service follows ${cluster.leader.address || cluster.leader.holder}, which decides.</p>`}
    ${cluster && html`<${Timeline} pools=${cluster.pools} />
      <div class="grid">${cluster.pools.map((pool) => html`<${Pool} key=${pool.name} pool=${pool} />`)}</div>`}
    <${Nodes} poll=${nodes} session=${session} />
  </section>`;
}

function Pool({ pool }) {
  return html`<section class="card"><div class="with-note"><h2>${pool.name}</h2>
      <span class="quiet">${pool.busy} of ${count(pool.count, "device")} busy</span></div>
    <dl class="figures">
      <${Figure} label="Model">${pool.model}</${Figure}>
      <${Figure} label="Nodes">${pool.nodes} <small>× ${count(pool.devices_per_node, "device")}</small></${Figure}>
      <${Figure} label="Price">$${plain(pool.dollars_per_device_hour)} <small>per device and hour</small></${Figure}>
      <${Figure} label="Power">${plain(pool.watts_per_device)} W <small>per device</small></${Figure}>
      <${Figure} label="Speed">${plain(pool.flops_per_device / 1e9)} GFLOP/s <small>per device</small></${Figure}>
      <${Figure} label="Memory">${pool.memory_per_node ? html`${bytes(pool.memory_used)} <small>of ${bytes(pool.memory_per_node * pool.nodes)}</small>` : "not limited"}</${Figure}>
    </dl>
    ${!pool.available && html`<p class="problem">No device of this pool can be used.</p>`}
    ${pool.note && html`<p class="note">${pool.note}</p>`}
    ${pool.source && html`<p class="quiet"><small>Source: ${pool.source}</small></p>`}</section>`;
}

function Nodes({ poll, session }) {
  const nodes = poll.data ? poll.data.nodes : [];
  return html`<section class="card"><h2>Nodes</h2><${Loading} poll=${poll} what="nodes" />
    ${nodes.length > 0 && html`<div class="scroll"><table><thead><tr><th>Node</th><th>State</th><th>Pools</th><th>Hardware</th><th>Jobs</th><th>Seen</th>${session.role === "admin" && html`<th></th>`}</tr></thead>
      <tbody>${nodes.map((node) => html`<tr key=${node.name}>
        <td><b>${node.name}</b><small>${node.address}</small></td>
        <td><${State} state=${node.state} /><small>${node.reason}</small></td>
        <td>${Object.keys(node.pools).join(", ")}</td>
        <td>${node.gpus.length ? node.gpus.join(", ") : node.cpus ? count(node.cpus, "CPU") : "–"}<small>${node.memory_bytes ? bytes(node.memory_bytes) : ""}</small></td>
        <td>${node.jobs.length ? node.jobs.map((job) => html`<a href="#/jobs/${job}">${job}</a> `) : "–"}</td>
        <td>${clock(node.seen_at)}</td>
        ${session.role === "admin" && html`<td class="do"><${NodeActions} node=${node} changed=${poll.reload} /></td>`}</tr>`)}</tbody></table></div>`}
  </section>`;
}

function NodeActions({ node, changed }) {
  const [open, setOpen] = useState(false);
  const address = `/v1/nodes/${encodeURIComponent(node.name)}`;
  const close = () => setOpen(false);
  if (node.drained_by) {
    return html`<button type="button" onClick=${() => setOpen(true)}>Resume</button>
      ${open && html`<${Confirm} title="Resume ${node.name}?" label="Resume" close=${close} done="Jobs start on ${node.name} again."
        run=${async () => { await post(`${address}/resume`); changed(); }}><p>Jobs start on it again.</p></${Confirm}>`}`;
  }
  return html`<button type="button" onClick=${() => setOpen(true)}>Drain</button>
    ${open && html`<${Drain} node=${node} address=${address} close=${close} changed=${changed} />`}`;
}

function Drain({ node, address, close, changed }) {
  const [reason, setReason] = useState("");
  async function send(event) {
    event.preventDefault();
    try {
      await post(`${address}/drain`, { reason });
      say(`No further job starts on ${node.name}.`);
      changed();
      close();
    } catch (error) {
      say(error.message, true);
    }
  }
  return html`<${Dialog} title="Drain ${node.name}?" close=${close}><form onSubmit=${send}>
    <p>No further job starts on it. Those that run there go on.</p>
    <label>Reason <small>for those whose jobs wait</small><input maxlength="500" value=${reason} onInput=${(event) => setReason(event.target.value)} /></label>
    <div class="buttons"><button type="button" onClick=${close}>Back</button><button class="primary">Drain</button></div>
  </form></${Dialog}>`;
}
