// SPDX-License-Identifier: MIT
// The frame: which view is open, what all of them share (the topology, the stream of events), and whether we are connected.

import {h, put, fault} from "/dom.js";
import {about, ask, askAll, listen} from "/api.js";
import * as mapView from "/mapview.js";
import * as linkView from "/linkview.js";
import * as ports from "/ports.js";
import * as paths from "/paths.js";
import * as services from "/services.js";
import * as alerts from "/alerts.js";
import * as sources from "/sources.js";

const VIEWS = {map: ["Map", mapView], ports: ["Ports", ports], paths: ["Paths", paths], services: ["Services", services], alerts: ["Alerts", alerts], sources: ["Sources", sources], link: [null, linkView]};
const KEPT = "linkcast-topology";
const main = document.getElementById("main"), status = document.getElementById("status");

const app = {
  about: {roles: []},
  topologies: [],
  topology: null, // as GetTopology gives it
  may: (role) => app.about.roles.includes(role),
  go: (hash) => { location.hash = hash; },
  async choose(id) {
    localStorage.setItem(KEPT, id);
    await app.load(id);
    app.open_?.changed?.("topology");
  },
  // The list of topologies, and the one that is looked at.
  async load(wanted) {
    app.about = await about();
    document.getElementById("version").textContent = `Linkcast ${app.about.version}`;
    app.topologies = (await ask("ListTopologies")).topologies;
    const ids = app.topologies.map((t) => t.topology_id);
    const id = [wanted, app.topology?.topology_id, localStorage.getItem(KEPT), ids[0]].find((each) => ids.includes(each));
    app.topology = id === undefined ? null : await askAll("GetTopology", {topology_id: id}, ["nodes", "links", "reservations"]);
  },
  link: (id) => app.topology?.links.find((link) => link.id === id),
  // Used share of a link now; undefined when total or use is not known.
  share(link, direction) {
    const used = direction === "reverse" ? link.used_capacity_reverse_gbps : link.used_capacity_gbps;
    return used === undefined || !link.total_capacity_gbps ? undefined : used / link.total_capacity_gbps;
  },
};

// ---- connection

function show(state, word) {
  status.className = `status ${state}`;
  status.querySelector(".word").textContent = word;
}

let due = null, took = 0;
// What changes on links is read anew, soon, but never more than a tenth of the time.
function readSoon() {
  due ||= setTimeout(async () => {
    const begun = performance.now();
    try { await app.load(); app.open_?.changed?.("topology"); } catch { /* the stream tells of a lost connection */ }
    took = performance.now() - begun;
    due = null;
  }, Math.max(2000, took * 10));
}

function heard(kind, data) {
  if (kind === "link" || kind === "service") readSoon();
  if (kind === "alert") countAlerts();
  app.open_?.changed?.(kind, data);
}

function changed(state, {missed}) {
  const was = status.classList.contains("lost");
  show(state, state === "live" ? "live" : "reconnecting");
  if (state === "live" && (was || missed)) { countAlerts(); render(); }
}

async function countAlerts() {
  try {
    const active = (await ask("ListAlerts", {state: "active"})).alerts.filter((alert) => !alert.acknowledged).length;
    put(document.getElementById("alert-count"), active ? h("span", {class: "count", "aria-label": `${active} active`}, String(active)) : null);
  } catch { /* the view of alerts says why */ }
}

// ---- views

function parse() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  return {name: VIEWS[name] ? name : "map", id: decodeURIComponent(rest.join("/")), query: new URLSearchParams(query || "")};
}

let turn = 0;
async function render() {
  const mine = ++turn, {name, id, query} = parse(), [title, view] = VIEWS[name];
  app.open_?.close?.();
  app.open_ = null;
  for (const link of document.querySelectorAll("#nav a")) {
    if (link.dataset.view === (title ? name : "map")) link.setAttribute("aria-current", "page"); else link.removeAttribute("aria-current");
  }
  document.title = `${title || id} – Linkcast`;
  try {
    await app.load();
    if (mine !== turn) return;
    const root = h("div", {class: "stack", "data-view": name});
    put(main, root);
    app.open_ = await view.open(root, app, {id, query});
    root.dataset.ready = "";
  } catch (error) {
    if (mine === turn) put(main, fault(error, render));
  }
}

put(document.getElementById("nav"), Object.entries(VIEWS).filter(([, [title]]) => title).map(([name, [title]]) =>
  h("a", {href: `#/${name}`, "data-view": name}, title, name === "alerts" && h("span", {id: "alert-count"}))));
window.addEventListener("hashchange", render);
window.addEventListener("pagehide", () => app.open_?.close?.());
window.addEventListener("pageshow", (event) => { if (event.persisted) render(); });
render();
countAlerts();
listen(["link/", "forecast/", "service/", "alert/"], "1s", heard, changed);
