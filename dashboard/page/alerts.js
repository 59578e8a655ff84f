// SPDX-License-Identifier: MIT
// What is wrong, or will be.

import {h, put, segments, table} from "/dom.js";
import {ask, askAll} from "/api.js";
import {ago, percent, seconds, severityBadge, time} from "/format.js";

let active = true;

function object(alert) {
  const link = alert.link_id;
  return [link && alert.kind === "link" ? h("a", {class: "id", href: `#/link/${encodeURIComponent(link)}${alert.direction ? `?direction=${alert.direction}` : ""}`}, alert.object) : h("span", {class: "id"}, alert.object),
    link && alert.kind !== "link" && [h("br"), h("a", {class: "id", href: `#/link/${encodeURIComponent(link)}`}, link)]];
}

const reasons = (alert) => [alert.text, alert.probability !== undefined && h("span", {class: "muted"}, ` · ${percent(alert.probability)} likely`), alert.expected_ns && h("span", {class: "muted"}, ` · expected ${time(seconds(alert.expected_ns))}`),
  alert.factors?.length > 0 && h("div", {class: "muted"}, alert.factors.slice(0, 4).map((f) => f.feature).join(", "))];

export async function open(root, app) {
  let list = [], silences = [], due = null;
  const note = h("span", {class: "muted", role: "status"});

  async function acknowledge(alert) {
    try { await ask("AckAlert", {alert_id: alert.alert_id, acknowledged: !alert.acknowledged}); await load(); } catch (failure) { note.textContent = `${failure.code}: ${failure.message}`; }
  }

  function draw() {
    const rows = list.map((alert) => [severityBadge(alert.severity), object(alert), reasons(alert), alert.rule, [time(seconds(alert.raised_ns)), h("br"), h("span", {class: "muted"}, alert.state === "active" ? ago(seconds(alert.raised_ns)) : `cleared ${time(seconds(alert.cleared_ns || alert.changed_ns))}`)],
      [alert.occurrences > 1 ? `${alert.occurrences} times` : "", alert.silenced ? h("span", {class: "badge quiet"}, "silenced") : "", (alert.actions || []).map((action) => h("div", {class: "muted"}, `${action.action}: ${action.state}`))],
      alert.state === "active" && app.may("admin") ? h("button", {class: "small", type: "button", onclick: () => acknowledge(alert)}, alert.acknowledged ? "Take back" : "Acknowledge") : alert.acknowledged ? h("span", {class: "muted"}, `known to ${alert.acknowledged_by || "somebody"}`) : ""]);
    put(root, h("div", {class: "head"}, h("h1", null, "Alerts"), segments("Shown", [[true, "Active"], [false, "All"]], active, (value) => { active = value; load().catch((failure) => { note.textContent = failure.message; }); }), note),
      silences.length > 0 && h("p", {class: "muted"}, `Maintenance: ${silences.map((each) => `${each.object || "everything"} until ${time(seconds(each.until_ns))}`).join("; ")}`),
      h("section", {class: "panel", "aria-label": "Alerts"}, rows.length === 0 ? h("p", {class: "empty"}, active ? "Nothing is wrong that is known of." : "No alert was ever raised.") : table([["Severity"], ["Object"], ["What"], ["Rule"], ["Since"], [""], [""]], rows)));
  }

  async function load() {
    const reply = await askAll("ListAlerts", active ? {state: "active"} : {}, ["alerts"]);
    list = reply.alerts;
    silences = reply.silences || [];
    draw();
  }
  await load();
  return {changed: (kind) => { if (kind === "alert") due ||= setTimeout(() => { due = null; load().catch(() => {}); }, 300); }, close: () => clearTimeout(due)};
}
