// SPDX-License-Identifier: MIT
// Who publishes, and what of it did not arrive; what the daemon counts of itself.

import {h, put, table} from "/dom.js";
import {ask} from "/api.js";
import {ago, count, duration, seconds} from "/format.js";

const PAUSE_MS = 3000;
const sum = (source, name) => source.ports.reduce((total, port) => total + BigInt(port[name] || 0), 0n);
const loss = (value, kind, words) => value > 0n ? h("span", {class: `badge ${kind}`}, `${count(value)} ${words}`) : "0";

const overview = (sources) => table([["Source"], ["State"], ["Heard"], ["Interval", "num"], ["Ports", "num"], ["Rows stored", "num"], ["Not arrived", "num"], ["Of these gone for good", "num"], ["Dropped by itself", "num"]],
  sources.map((source) => [h("span", {class: "id"}, source.host), h("span", {class: `badge ${source.live ? "good" : "warn"}`}, source.live ? "● live" : "◌ silent"), ago(seconds(source.last_ts_ns)), source.interval_ns === "0" ? "–" : duration(Number(source.interval_ns) / 1e9), String(source.ports.length),
    count(sum(source, "rows")), loss(sum(source, "lost"), "warn", "lost"), loss(sum(source, "gone"), "bad", "gone"), loss(BigInt(source.dropped), "bad", "dropped")]));

const detail = (source) => h("details", {"data-host": source.host}, h("summary", {class: "body"}, h("b", {class: "id"}, source.host), h("span", {class: "muted"}, ` instance ${source.instance}`)),
  table([["Port"], ["Last row"], ["Sequence", "num"], ["Rows", "num"], ["Not arrived", "num"], ["Gone", "num"], ["Errors counted", "num"]], source.ports.map((port) => [port.name, ago(seconds(port.last_ts_ns)), port.last_seq, count(port.rows), loss(BigInt(port.lost), "warn", "lost"), loss(BigInt(port.gone || 0), "bad", "gone"), count(port.errors)])));

export async function open(root) {
  let timer = null, closed = false;

  async function load() {
    const [{sources}, {metrics}] = await Promise.all([ask("ListSources"), ask("Metrics")]);
    if (closed) return;
    const opened = new Set([...root.querySelectorAll("details[open]")].map((each) => each.dataset.host || "metrics"));
    const focused = document.activeElement?.closest("details")?.dataset.host;
    put(root, h("div", {class: "head"}, h("h1", null, "Sources"), h("span", {class: "muted"}, `${sources.filter((source) => source.live).length} of ${sources.length} live`)),
      h("section", {class: "panel", "aria-label": "Sources"}, sources.length === 0 ? h("p", {class: "empty"}, "No publisher was heard yet. At the prompt of a testpmd with the plugin:", h("code", null, "analytics start")) : [overview(sources), sources.map(detail)]),
      h("section", {class: "panel", "aria-label": "The daemon"}, h("details", {"data-host": "", open: opened.has("")}, h("summary", {class: "body"}, h("b", null, "What analyticsd counts of itself")),
        table([["Name"], ["Value", "num"], ["What it is"]], metrics.map((metric) => [h("span", {class: "id"}, metric.name), `${count(metric.value)} ${metric.unit}`, metric.help])))));
    for (const each of root.querySelectorAll("details")) {
      each.open = opened.has(each.dataset.host || "metrics");
      if (focused !== undefined && each.dataset.host === focused) each.querySelector("summary").focus();
    }
  }
  async function again() {
    try { await load(); } catch { /* the bar tells */ }
    if (!closed) timer = setTimeout(again, PAUSE_MS);
  }
  await load();
  timer = setTimeout(again, PAUSE_MS);
  return {close: () => { closed = true; clearTimeout(timer); }};
}
