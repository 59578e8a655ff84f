// SPDX-License-Identifier: MIT
// The weathermap: each link in two halves, from either end to the middle, one for each direction. Colour, width and the
// number on it say the same; dots and dashes say that it carries nothing or is not heard of.

import {h, s, put} from "/dom.js";
import {band, width, percent, BANDS} from "/format.js";
import {place, SIZE} from "/layout.js";

// Links between the same nodes lie side by side.
function offsets(links) {
  const seen = new Map();
  for (const link of links) {
    const key = [link.a, link.z].sort().join("\n");
    if (!seen.has(key)) seen.set(key, []);
    seen.get(key).push(link.id);
  }
  return (link) => {
    const group = seen.get([link.a, link.z].sort().join("\n"));
    return (group.indexOf(link.id) - (group.length - 1) / 2) * 26 * (link.a < link.z ? 1 : -1);
  };
}

function curve(a, z, offset) {
  const dx = z.x - a.x, dy = z.y - a.y, length = Math.hypot(dx, dy) || 1;
  const middle = {x: (a.x + z.x) / 2 - dy / length * offset, y: (a.y + z.y) / 2 + dx / length * offset};
  return {middle, direction: {x: dx / length, y: dy / length}};
}

function half(from, to, share, state) {
  const dx = to.x - from.x, dy = to.y - from.y, length = Math.hypot(dx, dy) || 1, w = width(share);
  const ux = dx / length, uy = dy / length, tip = {x: to.x - ux * 1.5, y: to.y - uy * 1.5}, neck = {x: tip.x - ux * (w + 3), y: tip.y - uy * (w + 3)};
  const dead = state === "down" || state === "admin_down", old = state === "stale" || state === "unknown";
  const kind = dead ? "x" : band(share), side = w * 0.85 + 1;
  return [s("path", {class: `half b${kind}${dead ? " dead" : old ? " old" : ""}`, d: `M${from.x},${from.y}L${neck.x},${neck.y}`, "stroke-width": dead ? 2.5 : w}),
    s("path", {class: `arrow b${kind}`, d: `M${tip.x},${tip.y}L${neck.x - uy * side},${neck.y + ux * side}L${neck.x + uy * side},${neck.y - ux * side}Z`})];
}

function chip(at, text) {
  const wide = text.length * 6 + 8;
  return [s("rect", {class: "chip", x: at.x - wide / 2, y: at.y - 8, width: wide, height: 16, rx: 4}), s("text", {class: "chip-text", x: at.x, y: at.y}, text)];
}

// The part of the plane that all points are in, with room for names.
function around(points) {
  if (points.length === 0) return [0, 0, ...SIZE];
  const low = (axis) => Math.min(...points.map((p) => p[axis])), high = (axis) => Math.max(...points.map((p) => p[axis]));
  const wide = Math.max(high("x") - low("x") + 110, 300), tall = Math.max(high("y") - low("y") + 80, 240);
  return [(low("x") + high("x") - wide) / 2, (low("y") + high("y") - tall) / 2, wide, tall];
}

const DEAD = {down: "down", admin_down: "off"};

export class WeatherMap {
  // open(link id) is called for a chosen link.
  constructor(open) {
    this.open = open;
    this.scene = s("g");
    this.svg = s("svg", {viewBox: `0 0 ${SIZE[0]} ${SIZE[1]}`, role: "group", "aria-label": "Map of the topology"}, this.scene);
    this.box = this.home = [0, 0, ...SIZE];
    const button = (label, text, act) => h("button", {type: "button", "aria-label": label, title: label, onclick: act}, text);
    this.element = h("div", {class: "map"}, this.svg, h("div", {class: "tools"},
      button("Closer", "+", () => this.zoom(0.8)), button("Farther", "−", () => this.zoom(1.25)), button("Whole map", "⤢", () => this.show(this.home))));
    this.svg.addEventListener("wheel", (event) => { event.preventDefault(); this.zoom(event.deltaY > 0 ? 1.12 : 0.89, event); }, {passive: false});
    this.svg.addEventListener("pointerdown", (event) => this.drag(event));
    this.svg.addEventListener("keydown", (event) => this.key(event));
  }

  show(box) { this.box = box; this.svg.setAttribute("viewBox", box.join(" ")); }

  zoom(factor, event) {
    const [x, y, w, height] = this.box, bounds = this.svg.getBoundingClientRect();
    const fx = event ? (event.clientX - bounds.left) / bounds.width : 0.5, fy = event ? (event.clientY - bounds.top) / bounds.height : 0.5;
    const wide = Math.max(60, Math.min(this.home[2] * 2, w * factor)), high = wide * height / w;
    this.show([x + (w - wide) * fx, y + (height - high) * fy, wide, high]);
  }

  drag(start) {
    const [x, y, w, height] = this.box, bounds = this.svg.getBoundingClientRect(), scale = Math.max(w / bounds.width, height / bounds.height);
    const move = (event) => this.show([x - (event.clientX - start.clientX) * scale, y - (event.clientY - start.clientY) * scale, w, height]);
    const end = () => { window.removeEventListener("pointermove", move); window.removeEventListener("pointerup", end); window.removeEventListener("pointercancel", end); };
    window.addEventListener("pointermove", move); window.addEventListener("pointerup", end); window.addEventListener("pointercancel", end);
  }

  key(event) {
    const step = {ArrowLeft: [-0.1, 0], ArrowRight: [0.1, 0], ArrowUp: [0, -0.1], ArrowDown: [0, 0.1]}[event.key];
    if (event.key === "+" || event.key === "-") this.zoom(event.key === "+" ? 0.8 : 1.25);
    else if (step) this.show([this.box[0] + step[0] * this.box[2], this.box[1] + step[1] * this.box[3], this.box[2], this.box[3]]);
    else return;
    event.preventDefault();
  }

  // share(link, direction) is what a half shows; undefined: not known. way: {links: Set, ends: Set} to bring out.
  draw(topology, share, way) {
    const key = topology.topology_id + topology.version;
    if (this.key_ !== key) {
      this.places = place(topology.nodes, topology.links);
      this.key_ = key;
      this.show(this.home = around([...this.places.values()]));
    }
    const focused = document.activeElement?.dataset?.link, offset = offsets(topology.links), many = topology.links.length > 250;
    const edges = topology.links.filter((l) => this.places.has(l.a) && this.places.has(l.z)).map((link) => this.edge(link, share, way, offset(link), many));
    const nodes = topology.nodes.map((node) => {
      const at = this.places.get(node.id);
      return s("g", {class: way?.ends?.has(node.id) ? "node end" : "node"}, s("circle", {cx: at.x, cy: at.y, r: many ? 2.5 : 6}), (!many || way?.ends?.has(node.id)) && s("text", {x: at.x, y: at.y - 11}, node.id));
    });
    put(this.scene, edges, nodes);
    if (focused) this.scene.querySelector(`[data-link="${CSS.escape(focused)}"]`)?.focus();
  }

  edge(link, share, way, offset, many) {
    const a = this.places.get(link.a), z = this.places.get(link.z), {middle} = curve(a, z, offset);
    const forward = share(link, "forward"), reverse = link.bidirectional ? share(link, "reverse") : undefined;
    const most = Math.max(width(forward), width(reverse)), dead = DEAD[link.state];
    const at = (from, part) => ({x: from.x + (middle.x - from.x) * part, y: from.y + (middle.y - from.y) * part});
    const label = `${link.id}, ${link.a} to ${link.z}: ${dead || `${percent(forward)} used${link.bidirectional ? `, back ${percent(reverse)}` : ""}`}, ${link.state}`;
    const go = () => this.open(link.id);
    return s("g", {class: `edge${way?.links?.size ? way.links.has(link.id) ? " way" : " off" : ""}`, tabindex: 0, role: "link", "aria-label": label, "data-link": link.id,
      "data-load": Math.max(forward ?? -1, reverse ?? -1).toFixed(3), onclick: go, onkeydown: (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); go(); } }},
      s("title", null, label),
      s("path", {class: "casing", d: `M${a.x},${a.y}L${middle.x},${middle.y}L${z.x},${z.y}`, "stroke-width": most + 5}),
      half(a, middle, forward, link.state), link.bidirectional ? half(z, middle, reverse, link.state) : s("path", {class: "half bx", d: `M${middle.x},${middle.y}L${z.x},${z.y}`, "stroke-width": 2}),
      !many && this.chips(link, dead, {middle, forward, reverse, length: Math.hypot(z.x - a.x, z.y - a.y)}, [at(a, 0.62), at(z, 0.62)]));
  }

  // A number on each half; on a short link the greater one alone; on a very short one none (it is in the label).
  chips(link, dead, {middle, forward, reverse, length}, places) {
    const text = (share) => percent(share).replace(" ", "");
    if (dead) return chip(middle, dead);
    if (length < 46) return null;
    if (length < 120 || !link.bidirectional) return chip(middle, text(link.bidirectional ? Math.max(forward ?? -1, reverse ?? -1) < 0 ? undefined : Math.max(forward ?? 0, reverse ?? 0) : forward));
    return [chip(places[0], text(forward)), chip(places[1], text(reverse))];
  }
}

export const legend = () => h("div", {class: "legend"}, h("span", null, "Load, % of the capacity:"),
  BANDS.map(([from, text], i) => h("span", null, s("svg", {viewBox: "0 0 26 12"}, s("line", {class: `b${i}`, x1: 0, x2: 26, y1: 6, y2: 6, "stroke-width": width(from + 0.05)})), i > 0 && i < 7 ? `${text}+` : text)),
  h("span", null, s("svg", {viewBox: "0 0 26 12"}, s("line", {class: "half bx dead", x1: 0, x2: 26, y1: 6, y2: 6, "stroke-width": 2.5})), "down"),
  h("span", null, s("svg", {viewBox: "0 0 26 12"}, s("line", {class: "half b2 old", x1: 0, x2: 26, y1: 6, y2: 6, "stroke-width": 4})), "stale"));
