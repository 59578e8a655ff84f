// SPDX-License-Identifier: MIT
// The gateway: requests, and the stream of events. The stream is read with fetch, since EventSource can't send a token.

export class Refused extends Error {
  constructor(code, message, status) { super(message); this.code = code; this.status = status; }
}

const TOKEN = "linkcast-token";
const headers = () => { const token = sessionStorage.getItem(TOKEN); return token ? {Authorization: `Bearer ${token}`} : {}; };

let asking = null;
// One dialog, however many requests are refused for want of a token.
function askToken() {
  asking ||= new Promise((resolve) => {
    const dialog = document.createElement("dialog");
    const form = document.createElement("form"), label = document.createElement("label"), input = document.createElement("input"), button = document.createElement("button");
    label.textContent = "This gateway asks for a token ";
    input.type = "password"; input.autocomplete = "current-password"; input.required = true;
    button.textContent = "Enter"; form.method = "dialog";
    label.append(input); form.append(label, button); dialog.append(form); document.body.append(dialog);
    dialog.addEventListener("cancel", (event) => event.preventDefault());
    dialog.addEventListener("close", () => { sessionStorage.setItem(TOKEN, input.value.trim()); dialog.remove(); asking = null; resolve(); });
    dialog.showModal();
  });
  return asking;
}

async function reach(path, options) {
  for (;;) {
    let answer;
    try {
      answer = await fetch(path, {...options, headers: {...options.headers, ...headers()}, cache: "no-store", credentials: "omit"});
    } catch (error) {
      if (error.name === "AbortError") throw error;
      throw new Refused("UNAVAILABLE", "the gateway does not answer");
    }
    if (answer.status !== 401) return answer;
    await askToken();
  }
}

async function read(answer) {
  let reply;
  try { reply = await answer.json(); } catch { throw new Refused("INTERNAL", `an answer that is no JSON (HTTP ${answer.status})`, answer.status); }
  if (!reply.ok) throw new Refused(reply.error.code, reply.error.message, answer.status);
  return reply;
}

// ask("GetTopology", {topology_id}) is the reply, or Refused is thrown.
export const ask = async (name, body, signal) => read(await reach("/api/v1/" + name, {method: "POST", headers: {"Content-Type": "application/json"}, body: JSON.stringify(body || {}), signal}));
export const about = async () => read(await reach("/api/v1/about", {}));

// All pages of an answer, the lists `names` joined.
export async function askAll(name, body, names, signal) {
  const whole = await ask(name, body, signal);
  let page = whole.next_page;
  while (page !== undefined) {
    const more = await ask(name, {...body, page}, signal);
    for (const list of names) whole[list] = (whole[list] || []).concat(more[list] || []);
    page = more.next_page;
  }
  return whole;
}

function parse(block) {
  const event = {};
  for (const line of block.split("\n")) {
    const at = line.indexOf(": ");
    if (at > 0) event[line.slice(0, at)] = line.slice(at + 2);
  }
  return event.data === undefined ? null : event;
}

const seen = () => new Promise((resolve) => {
  if (!document.hidden) resolve();
  else document.addEventListener("visibilitychange", () => { if (!document.hidden) resolve(); });
});

// Events until stop() is called. It comes back by itself, waiting longer each time, and goes on where it was:
// `changed` hears "live" (with missed: true when something was not heard) and "lost". A page that nobody sees lets go of
// its connection: a browser has only six to a server, for all tabs, and pages that it keeps to go back to count, too.
export function listen(topics, every, heard, changed) {
  const query = topics.map((topic) => `topic=${encodeURIComponent(topic)}`).concat(every ? [`every=${every}`] : []).join("&");
  const ending = new AbortController();
  let last = null, pause = 250, current = null;
  const leave = () => current?.abort(), leaveHidden = () => document.hidden && leave();
  window.addEventListener("pagehide", leave);
  document.addEventListener("visibilitychange", leaveHidden);

  async function once() {
    const answer = await reach(`/events?${query}`, {headers: last ? {"Last-Event-ID": last} : {}, signal: current.signal});
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const {value, done} = await reader.read();
      if (done) return;
      text += value;
      const blocks = text.split("\n\n");
      text = blocks.pop();
      for (const event of blocks.map(parse)) {
        if (!event) continue;
        const again = last !== null;
        last = event.id || last;
        pause = 250;
        const data = JSON.parse(event.data);
        if (event.event === "welcome") changed("live", {missed: again && data.missed});
        else heard(event.event, data);
      }
    }
  }
  (async () => {
    while (!ending.signal.aborted) {
      current = new AbortController();
      try { await once(); } catch { /* what it was shows by "lost" */ }
      if (ending.signal.aborted) return;
      const left = current.signal.aborted;
      await seen();
      if (left) continue;
      changed("lost", {});
      await new Promise((resolve) => setTimeout(resolve, pause));
      pause = Math.min(pause * 2, 5000);
    }
  })();
  return () => {
    ending.abort();
    leave();
    window.removeEventListener("pagehide", leave);
    document.removeEventListener("visibilitychange", leaveHidden);
  };
}
