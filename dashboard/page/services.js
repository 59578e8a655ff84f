// SPDX-License-Identifier: MIT
// What was admitted: a calendar of who holds what when, and the list.

import {h, s, put, segments, table} from "/dom.js";
import {ask, askAll} from "/api.js";
import {duration, gbps, now, seconds, time} from "/format.js";

const SPANS = [[86400, "1 day"], [604800, "7 days"], [2592000, "30 days"]], SHOWN = 40;
const BADGES = {active: ["good", "● active"], scheduled: ["warn", "◔ scheduled"], expired: ["quiet", "○ expired"], released: ["quiet", "○ released"]};
let span = 86400, all = false;

function calendar(services) {
  const rows = services.slice(0, SHOWN), width = 1000, left = 190, high = 24, top = 22, from = now() - span * 0.15, to = from + span;
  const x = (unix) => left + (Math.max(from, Math.min(to, unix)) - from) / span * (width - left);
  const tick = span <= 86400 ? 10800 : span <= 604800 ? 86400 : 432000, zone = new Date().getTimezoneOffset() * 60, ticks = [];
  for (let t = Math.ceil((from - zone) / tick) * tick + zone; t < to; t += tick) ticks.push(t);
  const box = s("svg", {viewBox: `0 0 ${width} ${top + rows.length * high + 4}`, role: "img", "aria-label": `Calendar of ${rows.length} services over ${duration(span)}`},
    ticks.map((t) => [s("line", {x1: x(t), x2: x(t), y1: top - 4, y2: top + rows.length * high}), s("text", {class: "axis", x: x(t) + 3, y: 12}, time(t))]),
    rows.map((service, i) => {
      const begin = seconds(service.start_ns), end = service.released_ns ? seconds(service.released_ns) : service.end_ns ? seconds(service.end_ns) : Infinity, y = top + i * high;
      return [s("text", {x: 0, y: y + 15}, `${service.from || "?"} → ${service.to || "?"}  ${gbps(service.gbps)}`), end > from && begin < to && s("rect", {class: `slot ${service.state}`, x: x(begin), y: y + 4, width: Math.max(3, x(end) - x(begin)), height: high - 8, rx: 3}, s("title", null, `${service.service_id}: ${time(begin)} to ${end === Infinity ? "its release" : time(end)}`))];
    }), s("line", {class: "now", x1: x(now()), x2: x(now()), y1: top - 6, y2: top + rows.length * high}));
  return h("div", {class: "calendar body"}, box);
}

export async function open(root, app) {
  let services = [], due = null;
  const note = h("span", {class: "muted", role: "status"});

  async function release(service) {
    try { await ask("Release", {service_id: service.service_id, version: service.version}); await load(); } catch (failure) { note.textContent = `${failure.code}: ${failure.message}`; }
  }

  function draw() {
    const shown = services.filter((service) => all || service.state === "active" || service.state === "scheduled");
    const rows = shown.map((service) => [h("span", {class: "id"}, service.service_id), h("span", {class: `badge ${BADGES[service.state][0]}`}, BADGES[service.state][1]), `${service.from || "?"} → ${service.to || "?"}`, gbps(service.gbps),
      time(seconds(service.start_ns)), service.end_ns ? time(seconds(service.end_ns)) : "until released", h("span", {class: "muted"}, service.links.map((l) => l.link_id).join(" · ")),
      app.may("admit") && (service.state === "active" || service.state === "scheduled") ? h("button", {class: "small", type: "button", onclick: () => release(service)}, "Release") : ""]);
    put(root, h("div", {class: "head"}, h("h1", null, "Services"), segments("Shown", [[false, "Active and scheduled"], [true, "All"]], all, (value) => { all = value; draw(); }),
      segments("Calendar", SPANS, span, (value) => { span = value; draw(); }), note), shown.length === 0
      ? h("section", {class: "panel"}, h("p", {class: "empty"}, services.length ? "No service is active or scheduled." : "No service was admitted yet. Find a path and reserve it, or:", h("code", null, "pathcomp service request --from A --to B --gbps 1 --duration 6h")))
      : [h("section", {class: "panel", "aria-label": "Calendar"}, h("header", null, h("h2", null, "Calendar"), shown.length > SHOWN && h("span", {class: "muted"}, `the first ${SHOWN} of ${shown.length}`)), calendar(shown)),
        h("section", {class: "panel", "aria-label": "Services"}, table([["Service"], ["State"], ["From, to"], ["Holds", "num"], ["From"], ["To"], ["Links"], [""]], rows))]);
  }

  async function load() {
    services = (await askAll("ListServices", {}, ["services"])).services.reverse();
    draw();
  }
  await load();
  return {changed: (kind) => { if (kind === "service") due ||= setTimeout(() => { due = null; load().catch(() => {}); }, 300); }, close: () => clearTimeout(due)};
}
