// SPDX-License-Identifier: MIT
// Ports with live rates: from one sample to the next, as they are published.

import {h, put, table} from "/dom.js";
import {ask, listen} from "/api.js";
import {count, gbps, rate, spark, stateBadge} from "/format.js";

const KEPT = 60, PAUSE_MS = 5000;
const ERRORS = ["rx_missed", "rx_errors", "tx_errors", "rx_nombuf"];

// Rates from the last rows of two samples; BigInt, since counters are 64 bits. null when they don't belong together.
export function between(before, after) {
  if (!before || before.instance !== after.instance || before.epoch !== after.epoch) return null;
  const row = (sample) => sample.rows[sample.rows.length - 1], value = (sample, name) => { const i = sample.names.indexOf(name); return i < 0 ? 0n : BigInt(row(sample)[i + 2]); };
  const time = Number(BigInt(row(after)[1]) - BigInt(row(before)[1])) / 1e9;
  if (time <= 0) return null;
  const per = (name) => Number(value(after, name) - value(before, name)) / time;
  if (per("rx_packets") < 0 || per("tx_packets") < 0) return null;
  return {rx_bps: per("rx_bytes") * 8, tx_bps: per("tx_bytes") * 8, rx_pps: per("rx_packets"), tx_pps: per("tx_packets"), errors: ERRORS.reduce((sum, name) => sum + per(name), 0)};
}

export async function open(root, app) {
  const live = new Map(); // host and name: {last, rates, curve}
  let listed = [], timer = null, due = null;

  function row(source, port) {
    const seen = live.get(`${source.host}\n${port.name}`), rates = seen?.rates, silent = !source.live;
    const bits = (own, told) => rates ? rate(own) : told === undefined ? "–" : gbps(told);
    return Object.assign([[h("b", null, port.name), h("br"), h("span", {class: "muted id"}, source.host)], silent ? stateBadge("stale") : stateBadge(port.up ? "up" : "down"),
      port.link ? h("a", {class: "id", href: `#/link/${encodeURIComponent(port.link)}`}, port.link) : h("span", {class: "muted"}, "–"),
      port.speed_mbps > 0 && port.speed_mbps < 4294967295 ? rate(port.speed_mbps * 1e6) : "–",
      bits(rates?.rx_bps, port.rx_gbps), rates ? `${count(rates.rx_pps)}/s` : "–", bits(rates?.tx_bps, port.tx_gbps), rates ? `${count(rates.tx_pps)}/s` : "–",
      spark(seen?.curve || []), rates?.errors > 0 ? h("span", {class: "badge bad"}, `✕ ${count(rates.errors)}/s`) : count(port.errors),
      Number(port.lost) > 0 ? h("span", {class: "badge warn"}, `${count(port.lost)} lost`) : "0"], {attributes: {"data-port": `${source.host}/${port.name}`}});
  }

  function draw() {
    due = null;
    const rows = listed.flatMap((source) => source.ports.map((port) => row(source, port)));
    put(root, h("div", {class: "head"}, h("h1", null, "Ports"), h("span", {class: "muted"}, `${rows.length} ports of ${listed.length} sources`)),
      rows.length === 0 ? h("section", {class: "panel"}, h("p", {class: "empty"}, "No port was heard yet. At the prompt of a testpmd with the plugin:", h("code", null, "analytics start")))
        : h("section", {class: "panel", "aria-label": "Ports"}, table([["Port"], ["State"], ["Link"], ["Speed", "num"], ["Received", "num"], ["packets", "num"], ["Sent", "num"], ["packets", "num"], ["Last minute"], ["Errors", "num"], ["Rows", "num"]], rows)));
  }
  const drawSoon = () => { due ||= setTimeout(draw, 200); };

  async function load() {
    try { listed = (await ask("ListSources")).sources; drawSoon(); } catch { /* the bar tells */ }
    timer = setTimeout(load, PAUSE_MS);
  }

  function heard(kind, sample) {
    if (kind !== "sample" || sample.rows.length === 0) return;
    const key = `${sample.host}\n${sample.name}`, seen = live.get(key) || {curve: []}, rates = between(seen.last, sample);
    if (rates) { seen.rates = rates; seen.curve = seen.curve.concat(rates.rx_bps + rates.tx_bps).slice(-KEPT); }
    live.set(key, {...seen, last: sample});
    drawSoon();
  }

  listed = (await ask("ListSources")).sources;
  draw();
  timer = setTimeout(load, PAUSE_MS);
  const stop = listen(["sample/"], "1s", heard, () => {});
  return {close: () => { stop(); clearTimeout(timer); clearTimeout(due); }};
}
