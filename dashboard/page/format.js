// SPDX-License-Identifier: MIT
// Numbers and times for people. Times (_ns) are decimal strings: BigInt until they are seconds.

import {h, s} from "/dom.js";

export const seconds = (ns) => Number(BigInt(ns) / 1000n) / 1e6;
export const nanoseconds = (unix) => (BigInt(Math.round(unix * 1e6)) * 1000n).toString();
export const now = () => Date.now() / 1000;

export function rate(bits) {
  if (bits === undefined || bits === null || Number.isNaN(bits)) return "–";
  const units = [[1e12, "Tb/s"], [1e9, "Gb/s"], [1e6, "Mb/s"], [1e3, "kb/s"]];
  const [scale, unit] = units.find(([size]) => Math.abs(bits) >= size) || [1, "b/s"];
  const value = bits / scale;
  return `${value.toFixed(Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2)} ${unit}`;
}
export const gbps = (value) => value === undefined ? "–" : rate(value * 1e9);
export const percent = (share) => share === undefined || share === null ? "–" : share < 0.001 && share > 0 ? "<0.1 %" : `${(share * 100).toFixed(share < 0.0995 ? 1 : 0)} %`;

export function count(value) {
  if (value === undefined) return "–";
  const number = Number(value);
  for (const [size, unit] of [[1e12, " T"], [1e9, " G"], [1e6, " M"], [1e4, " k"]]) if (number >= size) return (number / (unit === " k" ? 1e3 : size)).toFixed(1) + unit;
  return number.toLocaleString("en", {maximumFractionDigits: number < 10 ? 1 : 0});
}

export function duration(value) {
  if (value === undefined) return "–";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) if (Math.abs(value) >= size) return `${Number((value / size).toFixed(1))} ${unit}`;
  return value >= 1 ? `${Math.round(value)} s` : `${Math.round(value * 1000)} ms`;
}
// "90s", "15m", "6h", "7d", "2w" or plain seconds; NaN for anything else.
export function parseDuration(text) {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(s|m|min|h|d|w)?\s*$/.exec(text);
  return match ? Number(match[1]) * {s: 1, m: 60, min: 60, h: 3600, d: 86400, w: 604800}[match[2] || "s"] : NaN;
}

const two = (value) => String(value).padStart(2, "0");
export function time(unix, withSeconds) {
  const date = new Date(unix * 1000), today = new Date();
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}${withSeconds ? ":" + two(date.getSeconds()) : ""}`;
  const day = `${date.getFullYear() === today.getFullYear() ? "" : date.getFullYear() + "-"}${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  return date.toDateString() === today.toDateString() ? clock : `${day} ${clock}`;
}
export const ago = (unix) => { const past = now() - unix; return past < 1 ? "now" : `${duration(past)} ago`; };

// The weathermap's scale: eight bands, told by colour, width and number alike.
export const BANDS = [[0, "under 10 %"], [0.1, "10"], [0.25, "25"], [0.4, "40"], [0.55, "55"], [0.7, "70"], [0.85, "85"], [1.0000001, "over 100 %"]];
export const band = (share) => share === undefined || share === null ? "x" : BANDS.reduce((found, [from], i) => share >= from ? i : found, 0);
export const width = (share) => share === undefined || share === null ? 2.5 : 3 + Math.min(share, 1.1) * 8;

export const meter = (share) => h("div", {class: "meter", role: "img", "aria-label": percent(share)},
  s("svg", {viewBox: "0 0 100 8", preserveAspectRatio: "none"}, s("rect", {class: `b${band(share)}`, width: Math.max(0, Math.min(share || 0, 1)) * 100, height: 8})));

const STATES = {up: ["good", "● up"], down: ["bad", "✕ down"], admin_down: ["quiet", "■ admin down"], stale: ["warn", "◌ stale"], unknown: ["quiet", "? unknown"]};
export const stateBadge = (state) => h("span", {class: `badge ${(STATES[state] || ["quiet"])[0]}`}, (STATES[state] || [, state])[1]);
const SEVERITIES = {critical: ["bad", "▲ critical"], major: ["bad", "◆ major"], minor: ["warn", "● minor"], warning: ["warn", "○ warning"]};
export const severityBadge = (severity) => h("span", {class: `badge ${(SEVERITIES[severity] || ["quiet"])[0]}`}, (SEVERITIES[severity] || [, severity])[1]);

export function spark(values) {
  const most = Math.max(...values, 1e-9);
  const line = values.map((value, i) => `${i ? "L" : "M"}${(i * 110 / Math.max(values.length - 1, 1)).toFixed(1)},${(23 - value / most * 21).toFixed(1)}`).join("");
  return s("svg", {class: "spark", viewBox: "0 0 110 24", "aria-hidden": "true"}, values.length > 1 && s("path", {class: "area", d: `${line}L110,24L0,24Z`}), s("path", {d: line}));
}
