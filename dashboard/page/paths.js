// SPDX-License-Identifier: MIT
// Ask for a path: the route, or why there is none and what there is instead.

import {h, put, facts, fault, panel, table} from "/dom.js";
import {ask} from "/api.js";
import {gbps, parseDuration, percent, seconds, stateBadge, time} from "/format.js";
import {WeatherMap} from "/map.js";

const REASONS = {no_route: "there is no way between them at all", capacity: "no way has enough room", latency: "no way is quick enough", hops: "every way is too long",
  utilization: "every way would be fuller than allowed", excluded: "what is excluded cuts every way", down: "links that are down cut every way"};
const field = (label, control) => h("label", null, label, control);
const options = (words) => words.map(([value, text]) => h("option", {value}, text));

function form(app, query, submit) {
  const nodes = h("datalist", {id: "nodes"}, app.topology.nodes.map((node) => h("option", {value: node.id})));
  const input = (name, value, more) => h("input", {name, value: query.get(name) ?? value, autocomplete: "off", ...more});
  return h("form", {class: "grid", onsubmit: (event) => { event.preventDefault(); submit(event.target); }}, nodes,
    field("From", input("from", "", {required: true, list: "nodes"})), field("To", input("to", "", {required: true, list: "nodes"})),
    field("Gb/s", input("gbps", "1", {required: true, inputmode: "decimal", pattern: "[0-9.]+"})),
    field("For (empty: only now counts)", input("duration", "12h", {placeholder: "90s 15m 6h 7d", pattern: "\\s*\\d+(\\.\\d+)?\\s*(s|m|min|h|d|w)?\\s*"})),
    field("Shortest by", h("select", {name: "metric"}, options([["cost", "cost"], ["latency", "latency"], ["hops", "hops"]]))),
    field("Ways", h("select", {name: "ways"}, options([["1", "one"], ["k3", "up to three"], ["link", "two, no link in common"], ["node", "two, no node in common"], ["srlg", "two, no risk in common"]]))),
    field("Latency at most, ms", input("max_latency_ms", "", {inputmode: "decimal", pattern: "[0-9.]*"})),
    h("button", {class: "main", type: "submit"}, "Ask"));
}

function request(app, element) {
  const data = new FormData(element), text = (name) => String(data.get(name) || "").trim(), ways = text("ways");
  const body = {topology_id: app.topology.topology_id, from: text("from"), to: text("to"), gbps: Number(text("gbps")), metric: text("metric")};
  if (text("duration")) body.duration_seconds = parseDuration(text("duration"));
  if (text("max_latency_ms")) body.max_latency_ms = Number(text("max_latency_ms"));
  if (ways === "k3") body.k = 3; else if (ways !== "1") body.disjoint = ways;
  return body;
}

const hop = (id, direction) => h("a", {class: "id", href: `#/link/${encodeURIComponent(id)}?direction=${direction}`}, id);

function route(path, number, many) {
  return panel(`${many ? `Path ${number + 1}: ` : ""}${path.nodes.join(" → ")}`,
    facts([["Room at the narrowest", gbps(path.bottleneck_gbps)], ["Cost, hops", `${path.cost}, ${path.hops}`], ["Latency", path.latency_ms ? `${path.latency_ms} ms` : undefined]]),
    table([["Link"], ["Direction"], ["State"], ["Used, as counted", "num"], ["Held", "num"], ["Free at the worst moment", "num"]], (path.capacities || []).map((c) => [hop(c.link, c.direction), c.direction, stateBadge(c.state),
      c.used_capacity_gbps === undefined ? "–" : `${gbps(c.used_capacity_gbps)}${c.total_capacity_gbps ? ` (${percent(c.used_capacity_gbps / c.total_capacity_gbps)})` : ""}`, gbps(c.held_gbps), gbps(c.available_gbps)])));
}

function offers(answer, again) {
  const o = answer.offers, list = [];
  const offer = (words, label, change) => list.push(h("tr", null, h("td", null, words), h("td", null, h("button", {class: "small", type: "button", onclick: () => again(change)}, label))));
  if (o?.max_gbps > 0) offer(`At most ${gbps(o.max_gbps)} would fit`, "Ask for that", {gbps: String(Math.floor(o.max_gbps * 1e6) / 1e6)});
  if (o?.max_duration_seconds) offer(`It would fit for ${Math.floor(o.max_duration_seconds)} s`, "Ask for that", {duration: `${Math.floor(o.max_duration_seconds)}s`});
  if (o?.earliest_start) list.push(h("tr", null, h("td", null, `It would fit from ${time(Date.parse(o.earliest_start) / 1000)}`), h("td", null, h("button", {class: "small", type: "button", onclick: () => again({}, o.earliest_start)}, "Ask from then"))));
  for (const up of o?.upgrade || []) list.push(h("tr", null, h("td", null, "With ", h("b", null, gbps(up.add_gbps)), " more on ", hop(up.link, up.direction)), h("td")));
  return list.length ? panel("What would fit instead", h("table", {id: "offers"}, h("tbody", null, list))) : null;
}

const blocked = (answer, again) => [
  panel("No path", h("div", {class: "body"}, h("p", null, h("span", {class: "badge bad"}, "✕ blocked"), " ", REASONS[answer.reason] || answer.reason, "."))),
  answer.cut?.length > 0 && panel("What is in the way", table([["Link"], ["Direction"], ["Why"], ["Free", "num"], ["Missing", "num"], ["Worst at"]], answer.cut.map((c) => [hop(c.link, c.direction), c.direction, c.reason, gbps(c.available_gbps), gbps(c.shortfall_gbps), c.worst_ns ? time(seconds(c.worst_ns)) : ""]))),
  offers(answer, again)];

export async function open(root, app, {query}) {
  if (!app.topology) { put(root, h("p", {class: "empty"}, "There is no topology to find a path in.", h("code", null, "analyticsctl topology load FILE"))); return {}; }
  const result = h("div", {class: "stack", id: "answer", "aria-live": "polite"}), map = new WeatherMap((id) => app.go(`#/link/${encodeURIComponent(id)}`));
  let way = null, last = null, start = null;
  const drawMap = () => map.draw(app.topology, app.share, way);

  async function reserve() {
    const {k, ...body} = last;
    try {
      const answer = await ask("RequestService", {...body, request_id: crypto.randomUUID?.() || `page-${Date.now()}`, ...(start ? {start} : {})});
      if (answer.status === "blocked") show(answer);
      else put(result, panel("Admitted", h("div", {class: "body"}, h("p", null, h("span", {class: "badge good"}, "✓ admitted"), " service ", h("a", {class: "id", href: "#/services"}, answer.service_id), ` holds ${gbps(last.gbps)}.`))), answer.paths.map((p, i) => route(p, i, answer.paths.length > 1)));
      await app.load();
      drawMap();
    } catch (failure) { put(result, fault(failure, reserve)); }
  }

  function show(answer) {
    way = {links: new Set(answer.status === "path" ? answer.paths.flatMap((p) => p.links) : (answer.cut || []).map((c) => c.link)), ends: new Set([last.from, last.to])};
    drawMap();
    const source = h("p", {class: "muted"}, answer.capacity_source === "forecast" ? "Checked against the forecast of the whole time." : `Checked against the use now${answer.capacity_source_reason ? `: ${answer.capacity_source_reason}` : ""}.`);
    if (answer.status === "blocked") put(result, blocked(answer, (change, from) => submit(element, change, from)), source);
    else put(result, answer.paths.map((p, i) => route(p, i, answer.paths.length > 1)), source, app.may("admit") && h("button", {type: "button", id: "reserve", onclick: reserve}, "Reserve this as a service"));
  }

  async function submit(target, change, from) {
    for (const [name, value] of Object.entries(change || {})) target.elements[name].value = value;
    start = from || null;
    last = request(app, target);
    put(result, h("p", {class: "empty"}, "Searching…"));
    try { show(await ask("ComputePath", start ? {...last, start} : last)); } catch (failure) { put(result, fault(failure, () => submit(target))); }
  }

  const element = form(app, query, submit);
  if (query.get("duration") && /^\d+$/.test(query.get("duration"))) element.elements.duration.value = `${query.get("duration")}s`;
  put(root, h("div", {class: "head"}, h("h1", null, "Paths")), panel("Is there room from here to there?", h("div", {class: "body"}, element)),
    h("div", {class: "two even"}, result, h("section", {class: "panel", "aria-label": "Map"}, map.element)));
  drawMap();
  if (query.get("from") && query.get("to")) await submit(element);
  else put(result, h("p", {class: "empty"}, "The answer is the shortest way with room for the whole time, or what is in the way and what would fit instead."));
  return {changed: (kind) => kind === "topology" && drawMap()};
}
