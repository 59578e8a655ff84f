// SPDX-License-Identifier: MIT
// The first view: the topology with its load, now or at the forecast peak of a window, and the fullest links in order.

import {h, put, segments, fault} from "/dom.js";
import {askAll} from "/api.js";
import {duration, gbps, meter, percent, stateBadge} from "/format.js";
import {WeatherMap, legend} from "/map.js";

export const WINDOWS = [[3600, "1 h"], [21600, "6 h"], [43200, "12 h"], [86400, "1 d"], [604800, "7 d"]];
const RENEW_MS = 60000;
let chosen = 0; // 0: now; else the window, in seconds. Kept while the page is open.

const tile = (value, words, kind, href) => h(href ? "a" : "div", {class: `tile ${kind || ""}`, href}, h("b", null, value), h("span", {title: words}, words));

export async function open(root, app) {
  if (!app.topology) {
    put(root, h("p", {class: "empty"}, "There is no topology yet. Load one:", h("code", null, "analyticsctl topology load FILE")));
    return {changed: (kind) => kind === "topology" && app.topology && open(root, app)};
  }
  let forecasts = new Map(), renew = null, asking = null;
  const linkHref = (id, direction) => `#/link/${encodeURIComponent(id)}?direction=${direction}&window=${chosen || 43200}`;
  const map = new WeatherMap((id) => app.go(linkHref(id, worst(app.link(id))[0])));
  const tiles = h("div", {class: "tiles"}), ranks = h("div", {class: "ranks"}), note = h("span", {class: "muted", role: "status"}), error = h("div");

  const peak = (link, direction) => forecasts.get(`${link.id}\n${direction}`);
  const share = (link, direction) => {
    if (!chosen) return app.share(link, direction);
    const forecast = peak(link, direction);
    return forecast?.total_capacity_gbps ? forecast.forecast_used_capacity_gbps / forecast.total_capacity_gbps : undefined;
  };
  const directions = (link) => link.bidirectional ? ["forward", "reverse"] : ["forward"];
  const worst = (link) => directions(link).map((each) => [each, share(link, each)]).sort(([, a], [, b]) => (b ?? -1) - (a ?? -1))[0];

  function drawTiles() {
    const links = app.topology.links, down = links.filter((l) => l.state === "down").length, away = links.filter((l) => ["stale", "unknown", "admin_down"].includes(l.state)).length;
    const most = (of) => links.flatMap((l) => directions(l).map((d) => [l, d, of(l, d)])).filter(([, , x]) => x !== undefined).sort((a, b) => b[2] - a[2])[0];
    const fullest = most(app.share), coming = chosen ? most(share) : null;
    const kind = (x) => x >= 0.85 ? "bad" : x >= 0.7 ? "warn" : "";
    const total = links.reduce((sum, l) => sum + (l.total_capacity_gbps || 0) * directions(l).length, 0), used = links.reduce((sum, l) => sum + (l.used_capacity_gbps || 0) + (l.bidirectional ? l.used_capacity_reverse_gbps || 0 : 0), 0);
    put(tiles, tile(`${links.filter((l) => l.state === "up").length} / ${links.length}`, down ? `links up, ${down} down` : away ? `links up, ${away} stale, unknown or off` : "links up", down ? "bad" : away ? "warn" : ""),
      fullest ? tile(percent(fullest[2]), `fullest now: ${fullest[0].id}, ${fullest[1]}`, kind(fullest[2]), linkHref(fullest[0].id, fullest[1])) : tile("–", "fullest now"),
      coming ? tile(percent(coming[2]), `fullest in ${duration(chosen)}: ${coming[0].id}, ${coming[1]}`, kind(coming[2]), linkHref(coming[0].id, coming[1])) : tile(total ? percent(used / total) : "–", "of all capacity is in use"),
      tile(gbps(used), `in use on ${app.topology.nodes.length} nodes, ${links.length} links`),
      tile(gbps(links.reduce((sum, l) => sum + (l.reserved_gbps || 0) + (l.reserved_reverse_gbps || 0), 0)), "held by services, link by link", "", "#/services"));
  }

  function drawRanks() {
    const rows = app.topology.links.flatMap((l) => directions(l).map((d) => [l, d, share(l, d)])).sort((a, b) => (b[2] ?? -1) - (a[2] ?? -1) || (a[0].id < b[0].id ? -1 : 1)).slice(0, 60);
    put(ranks, h("table", null, h("thead", null, h("tr", null, h("th", {scope: "col"}, "Link"), h("th", {scope: "col"}, chosen ? "Forecast peak" : "Load"), h("th", {class: "num", scope: "col"}, "%"), h("th", {class: "num", scope: "col"}, "Free"))),
      h("tbody", null, rows.map(([link, direction, x]) => {
        const forecast = peak(link, direction), total = link.total_capacity_gbps;
        const free = total === undefined || x === undefined ? undefined : chosen ? total - forecast.forecast_used_capacity_gbps : total - x * total;
        return h("tr", {onclick: () => app.go(linkHref(link.id, direction))}, h("td", null, h("a", {class: "id", href: linkHref(link.id, direction)}, link.id), h("br"), h("span", {class: "muted fine"}, direction === "forward" ? `${link.a} → ${link.z}` : `${link.z} → ${link.a}`)),
          h("td", null, meter(x), link.state !== "up" && stateBadge(link.state)), h("td", {class: "num"}, percent(x)), h("td", {class: "num"}, gbps(free)));
      }))));
  }

  function draw() {
    map.draw(app.topology, share);
    drawTiles();
    drawRanks();
  }

  async function forecast() {
    clearTimeout(renew);
    asking?.abort();
    put(error);
    if (!chosen) { forecasts = new Map(); note.textContent = ""; draw(); return; }
    const mine = asking = new AbortController(), begun = performance.now();
    note.textContent = "forecasting…";
    try {
      const reply = await askAll("ForecastTopologyCapacity", {topology_id: app.topology.topology_id, forecast_window_seconds: chosen}, ["link_capacities"], mine.signal);
      forecasts = new Map(reply.link_capacities.map((each) => [`${each.link_id}\n${each.direction}`, each]));
      note.textContent = `p95 peak of the next ${duration(chosen)}`;
      draw();
    } catch (failure) {
      if (failure.name === "AbortError") return;
      note.textContent = "";
      put(error, fault(failure, forecast));
    }
    renew = setTimeout(forecast, Math.max(RENEW_MS, (performance.now() - begun) * 10));
  }

  const choice = h("select", {"aria-label": "Topology", onchange: (event) => app.choose(event.target.value)},
    app.topologies.map((t) => h("option", {value: t.topology_id, selected: t.topology_id === app.topology.topology_id}, t.topology_id)));
  put(root, h("div", {class: "head"}, h("h1", null, "Network"), choice, segments("Load shown", [[0, "Now"], ...WINDOWS], chosen, (value) => { chosen = value; forecast(); }), note, h("span", {class: "grow"})),
    error, tiles, h("div", {class: "two"}, h("section", {class: "panel", "aria-label": "Map"}, map.element, legend()),
      h("section", {class: "panel", "aria-label": "Fullest links"}, h("header", null, h("h2", null, "Fullest links")), ranks)));
  draw();
  if (chosen) forecast();
  return {
    changed: (kind) => { if (kind === "topology") { if (chosen) drawTiles(); else draw(); } },
    close: () => { clearTimeout(renew); asking?.abort(); },
  };
}
