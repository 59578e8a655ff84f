// SPDX-License-Identifier: MIT
// Where nodes stand: by their own coordinates, else by forces (Fruchterman and Reingold, "Graph Drawing by Force-directed
// Placement", Software: Practice and Experience 21(11), 1991). No chance in it: the same topology, the same map.

const WIDTH = 1000, HEIGHT = 620, MARGIN = 60;

function fit(points) {
  const all = [...points.values()];
  const low = (axis) => Math.min(...all.map((p) => p[axis])), high = (axis) => Math.max(...all.map((p) => p[axis]));
  const [x0, x1, y0, y1] = [low("x"), high("x"), low("y"), high("y")];
  const scale = Math.min((WIDTH - 2 * MARGIN) / Math.max(x1 - x0, 1e-9), (HEIGHT - 2 * MARGIN) / Math.max(y1 - y0, 1e-9));
  const usable = Number.isFinite(scale) && scale < 1e9 ? scale : 1;
  for (const p of all) {
    p.x = WIDTH / 2 + (p.x - (x0 + x1) / 2) * usable;
    p.y = HEIGHT / 2 + (p.y - (y0 + y1) / 2) * usable;
  }
  return points;
}

// Coordinates are longitude and latitude, or any map's: north is up, a degree of longitude shrinks with the latitude.
function byCoordinates(nodes) {
  const geographic = nodes.every((n) => Math.abs(n.x) <= 180 && Math.abs(n.y) <= 90);
  const shrink = geographic ? Math.cos(nodes.reduce((sum, n) => sum + n.y, 0) / nodes.length * Math.PI / 180) : 1;
  return new Map(nodes.map((n) => [n.id, {x: n.x * shrink, y: -n.y}]));
}

function neighbours(nodes, links) {
  const pairs = new Map();
  for (const link of links) if (link.a !== link.z) pairs.set([link.a, link.z].sort().join("\n"), [link.a, link.z]);
  const index = new Map(nodes.map((n, i) => [n.id, i]));
  return [...pairs.values()].map(([a, z]) => [index.get(a), index.get(z)]).filter(([a, z]) => a !== undefined && z !== undefined);
}

// Pushes apart what the forces left too near to be read.
function spread(points, least, rounds) {
  const all = [...points.values()];
  for (let round = 0; round < rounds; round++) all.forEach((a, i) => { for (const b of all.slice(i + 1)) {
    const dx = a.x - b.x, dy = a.y - b.y, far = Math.max(Math.hypot(dx, dy), 1e-6), push = (least - far) / 2 / far;
    if (push > 0) { a.x += dx * push; a.y += dy * push; b.x -= dx * push; b.y -= dy * push; }
  } });
  return points;
}

function byForces(nodes, links) {
  const n = nodes.length, ideal = Math.sqrt(WIDTH * HEIGHT / n);
  const ordered = nodes.map((node, i) => [node.id, i]).sort(([a], [b]) => a < b ? -1 : 1);
  const x = new Float64Array(n), y = new Float64Array(n), dx = new Float64Array(n), dy = new Float64Array(n);
  ordered.forEach(([, i], place) => { // a sunflower: nobody on top of another, no symmetry to get stuck in
    const angle = place * 2.399963229728653, radius = Math.sqrt((place + 0.5) / n) * HEIGHT / 2;
    x[i] = WIDTH / 2 + radius * Math.cos(angle);
    y[i] = HEIGHT / 2 + radius * Math.sin(angle);
  });
  const pairs = neighbours(nodes, links), rounds = Math.max(30, Math.min(400, Math.floor(4e7 / (n * n + 1))));
  for (let round = 0; round < rounds; round++) {
    const reach = Math.max(WIDTH / 8 * (1 - round / rounds), 0.5);
    dx.fill(0); dy.fill(0);
    for (let i = 0; i < n; i++) for (let j = i + 1; j < n; j++) {
      const ax = x[i] - x[j], ay = y[i] - y[j], push = ideal * ideal / Math.max(ax * ax + ay * ay, 1);
      dx[i] += ax * push; dy[i] += ay * push; dx[j] -= ax * push; dy[j] -= ay * push;
    }
    for (const [i, j] of pairs) {
      const ax = x[i] - x[j], ay = y[i] - y[j], pull = Math.hypot(ax, ay) / ideal;
      dx[i] -= ax * pull; dy[i] -= ay * pull; dx[j] += ax * pull; dy[j] += ay * pull;
    }
    for (let i = 0; i < n; i++) {
      dx[i] += (WIDTH / 2 - x[i]) * 0.05; dy[i] += (HEIGHT / 2 - y[i]) * 0.08; // components stay together
      const length = Math.max(Math.hypot(dx[i], dy[i]), 1e-9), step = Math.min(length, reach);
      x[i] += dx[i] / length * step; y[i] += dy[i] / length * step;
    }
  }
  return new Map(nodes.map((node, i) => [node.id, {x: x[i], y: y[i]}]));
}

// {id: {x, y}} within 1000 by 620.
export function place(nodes, links) {
  if (nodes.length === 0) return new Map();
  const known = nodes.every((n) => Number.isFinite(n.x) && Number.isFinite(n.y));
  if (known) return fit(byCoordinates(nodes));
  return fit(spread(fit(byForces(nodes, links)), Math.sqrt(WIDTH * HEIGHT / nodes.length) / 2, nodes.length > 1000 ? 4 : 60));
}
export const SIZE = [WIDTH, HEIGHT];
