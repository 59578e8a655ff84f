// SPDX-License-Identifier: MIT
// Charts by uPlot; a table where it is not there. Series of their own times are joined to one.

import {h, put, table} from "/dom.js";
import {gbps, time} from "/format.js";

const ROWS = 40; // of the table that stands in for a chart
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

function thin(color, part) {
  const [r, g, b] = [1, 3, 5].map((i) => parseInt(color.slice(i, i + 2), 16));
  return `rgba(${r},${g},${b},${part})`;
}

// Points [unix, gbps] with a hole wherever more than two and a half steps are missing.
export function withHoles(points, step) {
  const found = [];
  for (const point of points) {
    const last = found[found.length - 1];
    if (last && point[0] - last[0] > 2.5 * step) found.push([last[0] + step, null]);
    found.push(point);
  }
  return found;
}

// data: {actual: [[unix, gbps], ...], past: band, fan: band, inner: band, limit, marks: [[unix, text], ...], summary, readout: an
// element} with band = [[unix, median, lower, upper], ...]. Here each curve by itself, in the order of options().series.
function columns(data) {
  const pick = (points, i) => points.map((p) => [p[0], p[i]]);
  return [data.actual, ...[3, 2, 1].map((i) => pick(data.past, i)), ...[3, 2, 1].map((i) => pick(data.fan, i)), ...[3, 2].map((i) => pick(data.inner, i))];
}

function standIn(root, data) {
  const rows = [...data.actual.map(([x, y]) => [x, y]), ...data.fan.map(([x, m, low, up]) => [x, null, m, low, up])].filter(([, y, m]) => y !== null || m !== undefined);
  const step = Math.max(1, Math.ceil(rows.length / ROWS));
  put(root, h("p", {class: "muted"}, "The chart library was not there when this was built: the numbers themselves."),
    table([["Time"], ["Used", "num"], ["Median", "num"], ["Lower", "num"], ["Upper", "num"]], rows.filter((_, i) => i % step === 0).map(([x, ...values]) => [time(x), ...[0, 1, 2, 3].map((i) => values[i] === undefined || values[i] === null ? "" : gbps(values[i]))])));
}

function marks(data) {
  return (u) => {
    const {ctx, bbox} = u, line = (x0, y0, x1, y1, color, dash, text) => {
      ctx.save(); ctx.strokeStyle = color; ctx.fillStyle = color; ctx.lineWidth = 1.5 * devicePixelRatio; ctx.setLineDash(dash.map((d) => d * devicePixelRatio));
      ctx.beginPath(); ctx.moveTo(x0, y0); ctx.lineTo(x1, y1); ctx.stroke();
      ctx.textAlign = "left"; ctx.font = `${11 * devicePixelRatio}px system-ui, sans-serif`; ctx.fillText(text, x0 + 5 * devicePixelRatio, (y0 === y1 ? y0 - 5 * devicePixelRatio : bbox.top + 12 * devicePixelRatio)); ctx.restore();
    };
    for (const [x, text] of data.marks) {
      const px = u.valToPos(x, "x", true);
      if (px >= bbox.left && px <= bbox.left + bbox.width) line(px, bbox.top, px, bbox.top + bbox.height, colour("--muted"), [3, 3], text);
    }
    if (data.limit !== undefined) {
      const py = u.valToPos(data.limit, "y", true);
      if (py >= bbox.top) line(bbox.left, py, bbox.left + bbox.width, py, colour("--limit"), [8, 4], `capacity ${gbps(data.limit)}`);
    }
  };
}

// What is under the cursor, in words.
function readout(u, data) {
  const i = u.cursor.idx, at = (series) => i === null || i === undefined ? undefined : u.data[series][i] ?? undefined;
  if (at(0) === undefined) { data.readout.textContent = ""; return; }
  const band = (word, middle, low, high) => at(middle) === undefined ? "" : ` · ${word} ${gbps(at(middle))} (${gbps(at(low))} to ${gbps(at(high))})`;
  data.readout.textContent = `${time(at(0), true)}${at(1) === undefined ? "" : ` · used ${gbps(at(1))}`}${band("expected then", 4, 3, 2)}${band("forecast", 7, 6, 5)}`;
}

function options(root, data, most) {
  const past = colour("--fan-past"), fan = colour("--fan"), ink = colour("--muted"), grid = {stroke: colour("--line"), width: 1};
  const points = {show: false}, edge = {stroke: "transparent", points}, middle = (color) => ({stroke: color, width: 2, dash: [5, 4], points});
  const axis = {stroke: ink, grid, ticks: grid, font: "12px system-ui, sans-serif"};
  const ticks = (_, splits, __, ___, step) => splits.map((at) => { const [day, clock] = [new Date(at * 1000), time(at)]; return step < 86400 && (day.getHours() || day.getMinutes()) ? clock.slice(-5) : `${String(day.getMonth() + 1).padStart(2, "0")}-${String(day.getDate()).padStart(2, "0")}`; });
  return {
    width: Math.max(root.clientWidth, 240), height: Math.max(300, Math.min(420, innerHeight * 0.45)), tzDate: (ts) => new Date(ts * 1000),
    scales: {y: {range: (_, low, high) => [0, Math.max(high || 0, most) * 1.08 || 1]}},
    axes: [{...axis, values: ticks}, {...axis, size: 76, values: (_, ticks) => ticks.map((v) => gbps(v))}],
    series: [{}, {stroke: colour("--actual"), width: 1.8, points}, edge, edge, middle(past), edge, edge, middle(fan), edge, edge],
    bands: [{series: [2, 3], fill: thin(past, 0.2)}, {series: [5, 6], fill: thin(fan, 0.18)}, {series: [8, 9], fill: thin(fan, 0.25)}],
    legend: {show: false}, cursor: {drag: {x: true, y: false}}, hooks: {draw: [marks(data)], setCursor: [(u) => readout(u, data)]},
  };
}

// Draws into `root`, anew when its width or the colours change. Returns a function that ends it.
export function draw(root, data) {
  root.setAttribute("role", "img");
  root.setAttribute("aria-label", data.summary);
  if (!window.uPlot) { standIn(root, data); return () => {}; }
  const list = columns(data), highest = Math.max(0, ...list.flatMap((points) => points.map(([, y]) => y ?? 0)));
  const most = data.limit !== undefined && highest > 0.35 * data.limit ? Math.max(highest, data.limit) : highest;
  const joined = window.uPlot.join(list.map((points) => [points.map(([x]) => x), points.map(([, y]) => y)]));
  let chart = null, wide = 0;
  const make = () => { chart?.destroy(); put(root); wide = root.clientWidth; chart = new window.uPlot(options(root, data, most), joined, root); };
  make();
  const watch = new ResizeObserver(() => { if (Math.abs(root.clientWidth - wide) > 1) make(); });
  const scheme = matchMedia("(prefers-color-scheme: dark)");
  watch.observe(root);
  scheme.addEventListener("change", make);
  return () => { watch.disconnect(); scheme.removeEventListener("change", make); chart?.destroy(); };
}
