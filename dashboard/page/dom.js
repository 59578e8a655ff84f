// SPDX-License-Identifier: MIT
// Elements without a framework. Text is always text: nothing here takes HTML.

const SVG = "http://www.w3.org/2000/svg";

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes || {})) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// h("td", {class: "num"}, "text", other, ...)
export const h = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
export const s = (tag, attributes, ...children) => fill(document.createElementNS(SVG, tag), attributes, children);

// Puts children in place of what is there.
export function put(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// columns: [[title, class], ...]; rows: of cells, which are text, elements or lists of them.
export function table(columns, rows, attributes) {
  const kinds = columns.map(([, kind]) => kind || null);
  return h("div", {class: "scroll"}, h("table", attributes,
    h("thead", null, h("tr", null, columns.map(([title, kind]) => h("th", {class: kind, scope: "col"}, title)))),
    h("tbody", null, rows.map((cells) => h("tr", cells.attributes, cells.map((cell, i) => h("td", {class: kinds[i]}, cell)))))));
}

export const facts = (pairs) => h("table", {class: "facts"}, h("tbody", null,
  pairs.filter(([, value]) => value !== undefined && value !== null).map(([name, value]) => h("tr", null, h("th", {scope: "row"}, name), h("td", null, value)))));

export const panel = (title, ...body) => h("section", {class: "panel", "aria-label": title}, h("header", null, h("h2", null, title)), ...body);

// Buttons of which one is pressed. options: [[value, label], ...]
export function segments(label, options, value, change) {
  const buttons = options.map(([each, text]) => h("button", {type: "button", "aria-pressed": String(each === value), onclick: () => {
    for (const other of buttons) other.setAttribute("aria-pressed", String(other === buttons[options.findIndex((o) => o[0] === each)]));
    change(each);
  }}, text));
  return h("div", {class: "segments", role: "group", "aria-label": label}, buttons);
}

export const fault = (error, again) => h("div", {class: "fault", role: "alert"},
  h("span", null, h("b", null, error.code ? error.code + ": " : ""), error.message), again && h("button", {type: "button", onclick: again}, "Try again"));
