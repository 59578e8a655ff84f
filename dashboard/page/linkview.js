// SPDX-License-Identifier: MIT
// One link: its history, the forecast made a window ago over what then happened, the forecast from now, where it comes
// from, and how its forerunners held.

import {h, s, put, facts, fault, panel, segments, table} from "/dom.js";
import {ask, askAll} from "/api.js";
import {count, duration, gbps, nanoseconds, now, percent, seconds, stateBadge, time} from "/format.js";
import {draw, withHoles} from "/chart.js";
import {WINDOWS} from "/mapview.js";

const POINTS = 500, PAST_WINDOWS = 6;
const STEPS = [1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400];
const stepFor = (span) => STEPS.find((step) => span / step <= POINTS) || 14400;
const band = (series) => (series || []).map(([ts, ...values]) => [seconds(ts), ...values]);
const key = (kind, text) => h("span", null, s("svg", {viewBox: "0 0 22 10"}, kind === "k-actual" || kind === "k-limit" ? s("line", {class: kind, x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 2, "stroke-dasharray": kind === "k-limit" ? "6 3" : null})
  : [s("rect", {class: kind, x: 0, y: 0, width: 22, height: 10, "fill-opacity": 0.25, "stroke-opacity": 0}), s("line", {class: kind, x1: 0, x2: 22, y1: 5, y2: 5, "stroke-width": 2, "stroke-dasharray": "4 3"})]), text);

// Mean capacity over each step of [from, to).
async function history(link, from, to, step) {
  const reply = await askAll("QueryKpi", {...link, from_ns: nanoseconds(from), to_ns: nanoseconds(to), step_seconds: step}, ["samples"]);
  return reply.samples.map(([ts, value]) => [seconds(ts) + step / 2, value]);
}

// How far the past forecasts of such a window held: each as of its moment, against what then came.
async function backtest(link, window, end, signal) {
  const rows = [];
  for (let k = 1; k <= PAST_WINDOWS && !signal.aborted; k++) {
    const from = end - k * window;
    const then = await ask("ForecastLinkCapacity", {...link, forecast_window_seconds: window, as_of_ns: nanoseconds(from)}, signal);
    if (then.samples === 0) break;
    const came = await history(link, from, from + window, then.peak_resolution_seconds);
    if (came.length === 0) break;
    rows.push({from, promised: then.forecast_used_capacity_gbps, peak: Math.max(...came.map(([, value]) => value)), model: then.model});
  }
  return rows;
}

function drawBacktest(rows) {
  if (rows.length === 0) return h("p", {class: "empty"}, "There is not enough history for a window like this one.");
  const held = rows.filter((row) => row.peak <= row.promised).length;
  return [h("p", {class: "body"}, `${held} of ${rows.length} windows stayed under the peak that was forecast for them.`),
    table([["Window from"], ["Forecast peak", "num"], ["Peak that came", "num"], ["Used of it", "num"], [""], ["Model"]], rows.map((row) => [time(row.from), gbps(row.promised), gbps(row.peak), percent(row.promised > 0 ? row.peak / row.promised : undefined),
      row.peak <= row.promised ? h("span", {class: "badge good"}, "✓ held") : h("span", {class: "badge bad"}, "✕ over"), row.model]))];
}

const provenance = (f) => facts([["Model", f.model], ["Fallback", f.fallback_reason],
  ["History", f.history_from_ns ? `${time(seconds(f.history_from_ns))} to ${time(seconds(f.history_to_ns))}, ${count(f.samples)} samples` : "none"],
  ["Step, peak of means over", `${duration(f.step_seconds)}, ${duration(f.peak_resolution_seconds)}`], ["Newest sample", f.staleness_seconds === undefined ? undefined : `${duration(f.staleness_seconds)} old`],
  ["Backtest error (MASE)", f.backtest_mase === undefined ? "not enough history" : `${f.backtest_mase.toFixed(2)} (below 1: better than the last value)`],
  ["Calibrated on", `${f.calibration_windows} past windows`], ["Measured coverage", f.coverage === undefined ? "not enough windows" : `${percent(f.coverage)} of 95 %`],
  ["Services' traffic", f.traffic?.join(", ")]]);

export async function open(root, app, {id, query}) {
  const link = app.link(id) || (await findElsewhere(app, id));
  let direction = query.get("direction") === "reverse" && link.bidirectional ? "reverse" : "forward";
  let window = Number(query.get("window")) || 43200, end = () => {}, stop = new AbortController(), shown = null, drawnAt = 0, renew = null;
  const head = h("div", {class: "head"}), tiles = h("div", {class: "tiles"}), chart = h("div", {class: "chart"}), origin = h("div"), readout = h("span", {class: "muted"}), past = h("div"), error = h("div"), shape = h("div", {class: "keys"});
  const ends = () => direction === "forward" ? [link.a, link.z] : [link.z, link.a];

  function drawTiles(f) {
    const tile = (value, words, kind) => h("div", {class: `tile ${kind || ""}`}, h("b", null, value), h("span", {title: words}, words));
    const total = f.total_capacity_gbps, part = (x) => total ? ` · ${percent(x / total)}` : "", free = total === undefined ? undefined : total - f.forecast_used_capacity_gbps;
    put(tiles, tile(gbps(f.current_used_capacity_gbps), `used now${part(f.current_used_capacity_gbps)}`), tile(gbps(f.forecast_used_capacity_gbps), `p95 peak, next ${duration(window)}${part(f.forecast_used_capacity_gbps)}`, total && f.forecast_used_capacity_gbps / total >= 0.85 ? "bad" : ""),
      tile(gbps(total), "capacity"), tile(gbps(f.reserved_gbps), "held by services, at most"), tile(free === undefined ? "–" : gbps(free), "free at the peak, before what is held", free < 0 ? "bad" : ""));
  }

  function drawHead() {
    const [from, to] = ends(), room = shown?.total_capacity_gbps ? Math.max(0, shown.total_capacity_gbps - shown.forecast_used_capacity_gbps) : 0;
    put(head, h("h1", {class: "id"}, link.id), stateBadge(app.link(id)?.state || link.state), h("span", {class: "muted"}, `${from} → ${to}`),
      link.bidirectional && segments("Direction", [["forward", `${link.a} → ${link.z}`], ["reverse", `${link.z} → ${link.a}`]], direction, (value) => { direction = value; load(); }),
      segments("Window", WINDOWS, window, (value) => { window = value; load(); }), h("span", {class: "grow"}),
      h("a", {href: `#/paths?${new URLSearchParams({from, to, gbps: room ? (room * 0.5).toPrecision(2) : "1", duration: String(window)})}`, id: "ask-path"}, h("button", {type: "button", class: "main", tabindex: -1}, "Find a path")));
  }

  async function load() {
    stop.abort();
    const mine = stop = new AbortController(), at = {link_id: id, direction};
    clearTimeout(renew);
    put(error);
    drawHead();
    try {
      const ask95 = {...at, forecast_window_seconds: window, series: true};
      const f = shown = await ask("ForecastLinkCapacity", ask95, mine.signal);
      // of a history that ended long ago, what is shown ends with it
      const today = now(), last = f.history_to_ns && today - seconds(f.history_to_ns) > window ? seconds(f.history_to_ns) : today;
      const span = Math.max(2.2 * window, 3600), step = stepFor(span);
      const [inner, then, actual] = await Promise.all([ask("ForecastLinkCapacity", {...ask95, quantile: 0.75}, mine.signal),
        ask("ForecastLinkCapacity", {...ask95, as_of_ns: nanoseconds(last - window)}, mine.signal), history(at, last - span, last + 1, step)]);
      if (mine.signal.aborted) return;
      const past_band = then.samples > 0 ? band(then.series) : [];
      drawHead();
      drawTiles(f);
      end();
      const spacing = Math.max(step, f.step_seconds || 0);
      end = draw(chart, {actual: withHoles(actual, spacing), past: past_band, fan: band(f.series), inner: band(inner.series), limit: f.total_capacity_gbps,
        readout, marks: [[last - window, "forecast made here"], [today, "now"]],
        summary: `Used capacity of ${id}, ${direction}: now ${gbps(f.current_used_capacity_gbps)}, forecast peak of the next ${duration(window)} ${gbps(f.forecast_used_capacity_gbps)}`});
      put(shape, key("k-actual", "used"), past_band.length > 0 && key("k-past", `forecast made ${duration(window)} before: 95 % band of the window`), key("k-fan", "forecast from now: 95 % band of the window, inside it 75 %"), f.total_capacity_gbps !== undefined && key("k-limit", "capacity"));
      put(origin, provenance(f));
      drawnAt = today;
      put(past, h("p", {class: "empty"}, "Asking for past windows…"));
      const rows = await backtest(at, window, last, mine.signal);
      if (!mine.signal.aborted) put(past, drawBacktest(rows));
      renew = setTimeout(load, Math.max(30000, Math.min(300000, step * 1000)));
    } catch (failure) {
      if (failure.name !== "AbortError") put(error, fault(failure, load));
    }
  }

  put(root, head, error, tiles, h("section", {class: "panel", "aria-label": "History and forecast"}, h("header", null, h("h2", null, "History and forecast"), readout), chart, shape),
    h("div", {class: "two even"}, panel("Where this forecast comes from", origin), panel("How such forecasts held", past)),
    panel("The link", facts([["Ends", `${link.a} (a), ${link.z} (z)`], ["Cost", String(link.cost)], ["Latency", link.latency_ms === undefined ? undefined : `${link.latency_ms} ms`], ["Shared-risk groups", link.srlg?.join(", ")],
      ["Ports", link.ports?.map((p) => `${p.host} ${p.name} (${p.end})`).join(", ") || "none bound: its use is given, not measured"]])));
  await load();
  return {
    changed: (kind) => { if (kind === "topology" && now() - drawnAt > 5) drawHead(); },
    close: () => { stop.abort(); clearTimeout(renew); end(); },
  };
}

// A link of another topology than the one that is looked at.
async function findElsewhere(app, id) {
  for (const {topology_id} of app.topologies) {
    const found = (await askAll("GetTopology", {topology_id}, ["nodes", "links", "reservations"])).links.find((link) => link.id === id);
    if (found) return found;
  }
  throw Object.assign(new Error(`there is no link "${id}" in any topology`), {code: "NOT_FOUND"});
}
