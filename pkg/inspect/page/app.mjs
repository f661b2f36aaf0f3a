// The inspector of `jc-webhooks listen`: a live list of deliveries, and one of them in detail.
// Everything that was received is untrusted. It reaches the page only as text nodes, through `untrusted` and `visible`.

const MAX_ENTRIES = 10_000; // kept in memory, besides the older ones that were asked for
const MAX_OLDER = 10_000; // of those
const PAGE = 200; // deliveries in one request
const ROW_REM = 3.25; // the height of a row in style.css
const OVERSCAN = 10; // rows drawn above and below what is seen
const BODY_LINES = 5_000;
const BODY_CHARS = 200_000;
const HIGHLIGHT_CHARS = 5_000; // a longer line is shown in one colour

const NO_TARGETS = "Start listen with --forward-to URL to replay from here.";
const GLYPHS = { good: "✓", warn: "!", bad: "✗", none: "–" };

// ---- DOM ----

const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value != null) node.setAttribute(name, value);
  }
  node.append(...children);
  return node;
}

function button(label, onclick, attributes = {}) {
  return el("button", { type: "button", onclick, ...attributes }, label);
}

// ---- Untrusted text ----

// Controls, format characters (bidi overrides are among them), line separators and lone surrogates.
// The two joiners stay: emoji and several scripts need them, and they reorder nothing.
const HIDDEN = /((?:(?![\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}])+)/u;
const HIDDEN_IN_BLOCK = /((?:(?![\u200c\u200d\n\t])[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}])+)/u;
const SHORT = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function escapes(text) {
  return Array.from(text, (char) => {
    if (SHORT[char]) return SHORT[char];
    const hex = char.codePointAt(0).toString(16);
    return hex.length > 4 ? `\\u{${hex}}` : `\\u${hex.padStart(4, "0")}`;
  }).join("");
}

// visible is for places that hold nothing but text: attributes, options, text areas.
function visible(text, hidden = HIDDEN) {
  return String(text).split(hidden).map((part, i) => (i % 2 ? escapes(part) : part)).join("");
}

// fill appends untrusted text to a node; what `hidden` matches becomes a marked escape.
function fill(node, text, hidden = HIDDEN) {
  String(text).split(hidden).forEach((part, i) => {
    if (part === "") return;
    node.append(i % 2 ? el("span", { class: "control" }, escapes(part)) : part);
  });
  return node;
}

const untrusted = (text) => fill(el("bdi"), text);
const untrustedBlock = (text) => el("pre", {}, fill(el("bdi"), text, HIDDEN_IN_BLOCK));

function replaceWith(node, ...children) {
  node.replaceChildren(...children);
  return node;
}

// ---- Words ----

function formatTime(iso) {
  const time = new Date(iso);
  if (Number.isNaN(time.getTime())) return "";
  const pad = (n, width = 2) => String(n).padStart(width, "0");
  const clock = `${pad(time.getHours())}:${pad(time.getMinutes())}:${pad(time.getSeconds())}.${pad(time.getMilliseconds(), 3)}`;
  if (time.toDateString() === new Date().toDateString()) return clock;
  return `${time.toLocaleDateString(undefined, { month: "short", day: "numeric" })} ${clock}`;
}

const timeOf = (iso) => el("time", { datetime: visible(iso), title: visible(iso) }, formatTime(iso));

function formatLatency(ms) {
  if (ms >= 1000) return `${(ms / 1000).toFixed(2)} s`;
  return ms >= 100 ? `${Math.round(ms)} ms` : `${ms.toFixed(1)} ms`;
}

function formatSize(bytes) {
  if (bytes < 10_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${(bytes / 1000).toFixed(1)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

const count = (n, noun, many = `${noun}s`) => `${n.toLocaleString("en")} ${n === 1 ? noun : many}`;
const levelOf = (entry) => (Object.hasOwn(GLYPHS, entry.level) ? entry.level : "none");
const titleOf = (entry) => entry.event || `${entry.method} ${entry.url}`;
const forwardLevel = (forward) => (forward.ok ? "good" : "bad");

function outcomeOf(forward) {
  const latency = forward.latency_ms > 0 ? ` ${formatLatency(forward.latency_ms)}` : "";
  return forward.status ? `${forward.status}${latency}` : forward.outcome;
}

// latestForward picks what the list shows: of the latest attempt at each target, the first that failed, else the last.
function latestForward(forwards) {
  const latest = new Map();
  for (const forward of forwards) latest.set(forward.url, forward);
  const attempts = [...latest.values()];
  return attempts.find((forward) => !forward.ok) ?? attempts.at(-1);
}

const SIGNATURE_LEVELS = { valid: "good", unverifiable: "none" };
const signatureLevel = (signature) => SIGNATURE_LEVELS[signature.state] ?? "bad";

// ---- Asking the server ----

async function api(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("jc-webhooks does not answer. Look whether `jc-webhooks listen` is still running in its terminal.");
  }
  let answer;
  try {
    answer = await response.json();
  } catch {
    throw new Error(`The answer of jc-webhooks (status ${response.status}) is not understood. Reload the page.`);
  }
  if (response.ok) return answer;
  throw Object.assign(new Error(answer.error || `jc-webhooks answered with status ${response.status}.`), { status: response.status });
}

// ---- State ----

const server = { listening: "", targets: [], capture: "", version: "" };

const store = {
  entries: new Map(), // by id
  ids: [], // oldest first
  more: false, // whether the server has older ones
  older: 0, // how many more than MAX_ENTRIES are kept, because they were asked for
};

const filter = { text: "", event: "", verdict: "" };

const view = {
  ids: [], // those that match the filter, newest first
  rows: new Map(), // by id: { node, entry }
  current: 0, // the row that has or had the focus
  seen: 0, // the newest id that was on screen
  stale: true, // whether ids must be made again
  scheduled: false,
  loadingOlder: false,
  loaded: false,
};

const detail = { id: 0, data: null, tab: "summary" };

// put adds entries or replaces them. The ids stay in order whatever order they come in.
function put(entries) {
  let sorted = true;
  for (const entry of entries) {
    entry.forwards ??= [];
    if (!store.entries.has(entry.id)) {
      sorted &&= store.ids.length === 0 || entry.id > store.ids.at(-1);
      store.ids.push(entry.id);
      addEventOption(entry.event);
    }
    store.entries.set(entry.id, entry);
  }
  if (!sorted) store.ids.sort((a, b) => a - b);
  trim();
  view.stale = true;
}

function trim() {
  const surplus = store.ids.length - MAX_ENTRIES - store.older;
  if (surplus <= 0) return;
  for (const id of store.ids.splice(0, surplus)) store.entries.delete(id);
  store.more = true;
}

// ---- Filters ----

const verdictKind = (entry) => (entry.verdict.startsWith("valid,") ? "warnings" : entry.verdict);
const isFiltered = () => Boolean(filter.text || filter.event || filter.verdict);

function matches(entry) {
  if (filter.event && entry.event !== filter.event) return false;
  if (filter.verdict && verdictKind(entry) !== filter.verdict) return false;
  if (!filter.text) return true;
  const text = `#${entry.id}\n${entry.event}\n${entry.summary}\n${entry.url}\n${entry.verdict}`;
  return text.toLowerCase().includes(filter.text.toLowerCase());
}

const eventOptions = new Set();

function addEventOption(name) {
  if (!name || eventOptions.has(name) || eventOptions.size >= 500) return;
  eventOptions.add(name);
  const select = $("filter-event");
  const option = el("option", { value: name }, visible(name));
  const after = [...select.options].slice(1).find((other) => other.value > name);
  select.insertBefore(option, after ?? null);
}

function setFilter(changes) {
  Object.assign(filter, changes);
  view.stale = true;
  showFilter();
  writeHash();
  $("scroller").scrollTop = 0;
  schedule();
}

function showFilter() {
  if ($("filter-text").value !== filter.text) $("filter-text").value = filter.text;
  addEventOption(filter.event);
  $("filter-event").value = filter.event;
  $("filter-verdict").value = filter.verdict;
}

const clearFilters = () => {
  setFilter({ text: "", event: "", verdict: "" });
  $("filter-text").focus();
};

// What is in the hash survives a reload: the filters, the open delivery and its tab.
function writeHash({ push = false } = {}) {
  const hash = new URLSearchParams();
  if (filter.text) hash.set("q", filter.text);
  if (filter.event) hash.set("event", filter.event);
  if (filter.verdict) hash.set("verdict", filter.verdict);
  if (detail.id) hash.set("delivery", detail.id);
  if (detail.id && detail.tab !== "summary") hash.set("tab", detail.tab);
  const url = `#${hash}`;
  if (url === (location.hash || "#")) return;
  if (push) history.pushState(null, "", url);
  else history.replaceState(null, "", url);
}

function readHash() {
  const hash = new URLSearchParams(location.hash.slice(1));
  Object.assign(filter, { text: hash.get("q") ?? "", event: hash.get("event") ?? "", verdict: hash.get("verdict") ?? "" });
  view.stale = true;
  showFilter();
  if ($(`tab-${hash.get("tab")}`)) selectTab(hash.get("tab"), { write: false });
  const id = Number(hash.get("delivery")) || 0;
  if (id !== detail.id) {
    if (id) openDelivery(id, { write: false });
    else closeDetail({ write: false });
  }
  schedule();
}

// ---- The list ----

// schedule collects everything that happens before the next frame into one drawing.
function schedule() {
  if (view.scheduled) return;
  view.scheduled = true;
  requestAnimationFrame(() => {
    view.scheduled = false;
    drawList();
  });
}

const rowHeight = () => ROW_REM * parseFloat(getComputedStyle(document.documentElement).fontSize);

function drawList() {
  const scroller = $("scroller");
  if (scroller.clientHeight === 0) return; // hidden behind the detail: drawn when it comes back
  if (view.stale) {
    const height = rowHeight();
    const anchor = anchorRow(scroller, height);
    view.ids = store.ids.filter((id) => matches(store.entries.get(id))).reverse();
    view.stale = false;
    $("rows").hidden = view.ids.length === 0;
    $("rows").style.height = `${view.ids.length * height}px`;
    drawCount();
    drawEmpty();
    drawOlder();
    restoreAnchor(scroller, height, anchor);
  }
  drawRows(scroller);
  drawNew(scroller);
}

// anchorRow says which row must not move: the first one on screen when the user has scrolled. At the top
// new rows push the others down, until that would push the row the user is at out of view.
function anchorRow(scroller, height) {
  const top = scroller.scrollTop;
  const atTop = top <= 1;
  const index = atTop ? view.ids.indexOf(detail.id || view.current) : Math.floor(top / height);
  const id = view.ids[index];
  return id === undefined ? null : { id, offset: index * height - top, atTop };
}

function restoreAnchor(scroller, height, anchor) {
  const index = anchor ? view.ids.indexOf(anchor.id) : -1;
  if (index < 0) return;
  const inView = (index + 1) * height <= scroller.clientHeight;
  if (anchor.atTop && (inView || anchor.offset > scroller.clientHeight)) return;
  scroller.scrollTop = index * height - anchor.offset;
}

function drawRows(scroller) {
  const height = rowHeight();
  const first = Math.max(0, Math.floor(scroller.scrollTop / height) - OVERSCAN);
  const last = Math.min(view.ids.length, Math.ceil((scroller.scrollTop + scroller.clientHeight) / height) + OVERSCAN);
  const wanted = new Map();
  const currentIndex = view.ids.indexOf(view.current); // stays drawn, or it would lose the focus
  if (currentIndex >= 0 && currentIndex < first) wanted.set(view.current, currentIndex);
  for (let index = first; index < last; index++) wanted.set(view.ids[index], index);
  if (currentIndex >= last) wanted.set(view.current, currentIndex);

  const hadFocus = removeRows(wanted);
  const reachable = currentIndex >= 0 ? view.current : view.ids[first];
  let next = $("rows").firstChild;
  for (const [id, index] of wanted) {
    const row = drawRow(id);
    if (row.node === next) next = next.nextSibling;
    else $("rows").insertBefore(row.node, next); // a row that is there is never moved: it would lose the focus
    row.node.style.top = `${index * height}px`;
    row.node.tabIndex = id === reachable ? 0 : -1;
    row.node.setAttribute("aria-selected", String(id === detail.id));
    row.node.setAttribute("aria-posinset", index + 1);
    row.node.setAttribute("aria-setsize", store.more ? -1 : view.ids.length);
  }
  if (hadFocus) view.rows.get(reachable)?.node.focus({ preventScroll: true });
}

function removeRows(wanted) {
  let hadFocus = false;
  for (const [id, row] of view.rows) {
    if (wanted.has(id)) continue;
    hadFocus ||= row.node === document.activeElement;
    row.node.remove();
    view.rows.delete(id);
  }
  return hadFocus;
}

function drawRow(id) {
  const entry = store.entries.get(id);
  const row = view.rows.get(id) ?? { node: el("div", { role: "option", id: `row-${id}`, "data-id": id }), entry: null };
  if (row.entry !== entry) {
    row.entry = entry;
    row.node.className = "row";
    replaceWith(row.node, ...rowParts(entry));
    view.rows.set(id, row);
  }
  return row;
}

function rowParts(entry) {
  const level = levelOf(entry);
  const head = el("span", { class: "row-head" },
    el("span", { class: "event" }, untrusted(titleOf(entry))),
    el("span", { class: `verdict ${level}` }, untrusted(entry.verdict)));
  if (entry.signature) head.append(signatureMark(entry.signature));
  return [
    el("span", { class: `glyph ${level}`, "aria-hidden": "true" }, GLYPHS[level]), head, timeOf(entry.received),
    el("span", { class: "summary" }, untrusted(entry.summary || formatSize(entry.size))), forwardMark(entry),
  ];
}

function signatureMark(signature) {
  const level = signatureLevel(signature);
  const glyph = level === "none" ? "?" : GLYPHS[level];
  return el("span", { class: `signature ${level}`, title: `signature: ${visible(signature.text)}` }, `sig ${glyph} `, untrusted(signature.state));
}

function forwardMark(entry) {
  const node = el("span", { class: "forward" });
  const forward = latestForward(entry.forwards);
  if (!forward) return node;
  node.classList.add(forwardLevel(forward));
  node.append("→ ", untrusted(outcomeOf(forward)));
  if (entry.forwards.length > 1) node.append(el("span", { class: "muted", title: count(entry.forwards.length, "attempt") }, ` ×${entry.forwards.length}`));
  return node;
}

function drawCount() {
  const total = store.ids.length;
  const text = isFiltered() ? `${view.ids.length.toLocaleString("en")} of ${total.toLocaleString("en")}` : count(total, "delivery", "deliveries");
  $("count").textContent = view.loaded ? text : "Loading…";
  $("clear-filters").hidden = !isFiltered();
}

function drawEmpty() {
  const kind = !view.loaded || view.ids.length > 0 ? "" : isFiltered() && store.ids.length > 0 ? "none match" : "nothing yet";
  const box = $("empty");
  if (box.dataset.kind === kind) return;
  box.dataset.kind = kind;
  box.hidden = kind === "";
  if (kind === "none match") replaceWith(box, el("p", {}, "No delivery matches the filters."), button("Clear filters", clearFilters));
  if (kind === "nothing yet") replaceWith(box, ...waitingParts());
}

function waitingParts() {
  const isDefault = server.listening === "http://127.0.0.1:2255/";
  const command = `jc-webhooks send --all${isDefault ? "" : ` --to ${server.listening}`}`;
  return [
    el("p", {}, "Waiting for deliveries at ", el("code", {}, untrusted(server.listening)), "."),
    el("p", { class: "muted" }, "Try in another terminal:"),
    el("p", { class: "command" }, el("code", {}, untrusted(command)),
      button("Copy", () => copy(command, "the command"), { class: "quiet", "aria-label": "Copy the command" })),
  ];
}

function drawOlder() {
  const full = store.older >= MAX_OLDER;
  $("older-line").hidden = !store.more;
  $("older-button").hidden = full;
  $("older-button").disabled = view.loadingOlder;
  if (full) {
    const where = server.capture ? ` Older ones are in ${visible(server.capture)}.` : "";
    $("older-note").textContent = `The page holds no more.${where}`;
  }
}

function drawNew(scroller) {
  if (scroller.scrollTop <= 1) view.seen = view.ids[0] ?? view.seen;
  const unseen = view.ids.findIndex((id) => id <= view.seen);
  const news = unseen < 0 ? view.ids.length : unseen;
  $("new-button").hidden = news === 0 || scroller.scrollTop <= 1;
  $("new-button").textContent = `↑ ${news.toLocaleString("en")} new`;
}

// loadOlder asks for one page, or with a filter for some more, until one of them matches.
async function loadOlder() {
  if (view.loadingOlder) return;
  view.loadingOlder = true;
  $("older-button").disabled = true;
  $("older-note").textContent = "";
  try {
    const before = view.ids.length;
    for (let page = 0; page < 5 && store.more && store.older < MAX_OLDER; page++) {
      const answer = await api(`/api/deliveries?before=${store.ids[0] ?? 0}&limit=${PAGE}`);
      store.more = answer.more && answer.deliveries.length > 0;
      store.older = Math.min(Math.max(store.older, store.ids.length + answer.deliveries.length - MAX_ENTRIES), MAX_OLDER);
      put(answer.deliveries);
      if (store.ids.filter((id) => matches(store.entries.get(id))).length > before) break;
    }
  } catch (error) {
    $("older-note").textContent = ` ${visible(error.message)}`;
  }
  view.loadingOlder = false;
  view.stale = true;
  schedule();
}

// ---- Moving in the list ----

function focusRow(id) {
  const index = view.ids.indexOf(id);
  if (index < 0) return;
  view.current = id;
  const scroller = $("scroller");
  const height = rowHeight();
  const top = index * height;
  if (top < scroller.scrollTop) scroller.scrollTop = top;
  else if (top + height > scroller.scrollTop + scroller.clientHeight) scroller.scrollTop = top + height - scroller.clientHeight;
  drawRows(scroller);
  view.rows.get(id)?.node.focus({ preventScroll: true });
}

const listIsHidden = () => $("scroller").clientHeight === 0;

function move(step) {
  if (view.ids.length === 0) return;
  const focused = document.activeElement?.closest?.(".row");
  const from = view.ids.indexOf(focused ? view.current : detail.id || view.current);
  const to = from < 0 ? 0 : Math.min(view.ids.length - 1, Math.max(0, from + step));
  if (listIsHidden()) openDelivery(view.ids[to]);
  else focusRow(view.ids[to]);
}

function goTop() {
  $("scroller").scrollTop = 0;
  if (view.ids.length > 0 && !listIsHidden()) focusRow(view.ids[0]);
  schedule();
}

// ---- The stream ----

const stream = { source: null, since: 0, failures: 0, news: 0, timer: 0, troubleTimer: 0 };

function setConnection(state) {
  const box = $("connection");
  if (box.dataset.state === state) return;
  box.dataset.state = state;
  $("connection-text").textContent = state;
  clearTimeout(stream.troubleTimer);
  if (state === "live") showTrouble("");
  else stream.troubleTimer = setTimeout(() => showTrouble(
    "No connection to jc-webhooks. Look whether `jc-webhooks listen` is still running; this page goes on by itself when it is back."), 4000);
}

function showTrouble(text) {
  $("trouble").textContent = visible(text);
  $("trouble").hidden = text === "";
}

function retryLater(action) {
  const delay = Math.min(10_000, 500 * 2 ** stream.failures++);
  clearTimeout(stream.timer);
  stream.timer = setTimeout(action, delay);
}

// load reads everything anew, then follows the stream from the revision it was read at.
async function load() {
  stream.source?.close();
  stream.source = null;
  try {
    Object.assign(server, await api("/api/state"));
    server.targets ??= [];
    showServer();
    const answer = await api(`/api/deliveries?limit=${PAGE}`);
    store.entries.clear();
    store.ids = [];
    store.more = answer.more;
    store.older = 0;
    view.loaded = true;
    view.rows.forEach((row) => { row.entry = null; });
    put(answer.deliveries);
    schedule();
    stream.since = answer.revision;
    follow();
  } catch (error) {
    if (!view.loaded) showTrouble(error.message);
    retryLater(load);
  }
}

function follow() {
  const source = new EventSource(`/api/stream?since=${encodeURIComponent(stream.since)}`);
  stream.source = source;
  source.addEventListener("open", () => {
    setConnection("live");
    if (detail.id && !detail.data) openDelivery(detail.id, { write: false }); // it could not be had without a connection
  });
  source.addEventListener("delivery", (event) => {
    stream.since = event.lastEventId || stream.since;
    stream.failures = 0;
    receive(JSON.parse(event.data));
  });
  source.addEventListener("reset", () => {
    source.close();
    setConnection("reconnecting");
    retryLater(async () => {
      await load();
      if (detail.id) openDelivery(detail.id, { write: false });
    });
  });
  source.addEventListener("error", () => {
    if (source !== stream.source) return;
    setConnection("reconnecting");
    // The browser tries again by itself, except after an answer that is not a stream.
    if (source.readyState === EventSource.CLOSED) retryLater(follow);
  });
}

function receive(entries) {
  // A change of a delivery older than what is loaded would leave a gap in the list.
  const oldest = store.more ? (store.ids[0] ?? 0) : -Infinity;
  const loaded = entries.filter((entry) => entry.id >= oldest);
  const news = loaded.filter((entry) => !store.entries.has(entry.id)).length;
  put(loaded);
  const open = entries.findLast((entry) => entry.id === detail.id);
  if (open && detail.data) {
    detail.data.entry = open;
    drawDetailHead();
    drawForwards();
  }
  announceNews(news);
  schedule();
}

function announceNews(n) {
  if (n === 0) return;
  if (stream.news === 0) {
    setTimeout(() => {
      $("announcer").textContent = count(stream.news, "new delivery", "new deliveries");
      stream.news = 0;
    }, 3000);
  }
  stream.news += n;
}

function showServer() {
  $("version").textContent = visible(server.version);
  replaceWith($("listening"), untrusted(server.listening));
  $("targets-fact").hidden = server.targets.length === 0;
  replaceWith($("targets"), ...server.targets.map((url) => el("code", {}, untrusted(url))));
  replaceWith($("target"), ...server.targets.map((url, i) => el("option", { value: i }, visible(url))));
  $("target-label").hidden = server.targets.length < 2;
  showReplayable();
}

// ---- The detail ----

async function openDelivery(id, { write = true } = {}) {
  const wasClosed = detail.id === 0;
  if (id !== detail.id) $("edit-dialog").close(); // what is edited there is of another delivery
  detail.id = id;
  detail.data = null;
  view.current = id;
  document.body.classList.add("detail-open");
  $("placeholder").hidden = true;
  $("detail").hidden = false;
  if (write) writeHash({ push: wasClosed });
  if (listIsHidden() && wasClosed) $("detail-title").focus();
  schedule();
  drawDetailHead();
  showReplayable();
  const loading = setTimeout(() => {
    if (detail.id === id) showInPanels("Loading…", "muted");
  }, 150);
  try {
    const data = await api(`/api/deliveries/${id}`);
    if (detail.id !== id) return;
    detail.data = data;
    data.entry.forwards ??= [];
    data.problems ??= [];
    drawDetail();
  } catch (error) {
    if (detail.id !== id) return;
    const gone = "This delivery is gone: the listener keeps only the newest ones. Choose another one from the list.";
    showInPanels(error.status === 404 ? gone : error.message, "trouble");
  } finally {
    clearTimeout(loading);
  }
}

// showInPanels is for when there is nothing of the delivery to show.
function showInPanels(text, className) {
  drawTabNumber("body", 0);
  drawTabNumber("forward", 0);
  for (const panel of panels()) replaceWith(panel, el("p", { class: className }, untrusted(text)));
}

function closeDetail({ write = true } = {}) {
  const id = detail.id;
  if (id === 0) return;
  detail.id = 0;
  detail.data = null;
  document.body.classList.remove("detail-open");
  $("detail").hidden = true;
  $("placeholder").hidden = false;
  if (write) writeHash();
  view.stale = true;
  drawList();
  focusRow(view.ids.includes(id) ? id : view.ids[0]);
}

function drawDetail() {
  drawDetailHead();
  drawSummary();
  drawBody();
  drawRaw();
  drawHeaders();
  drawForwards();
  for (const panel of panels()) panel.scrollTop = 0;
  showReplayable();
}

function drawDetailHead() {
  const entry = detail.data?.entry ?? store.entries.get(detail.id);
  if (!entry) {
    replaceWith($("detail-title"), `Delivery #${detail.id}`);
    return;
  }
  const level = levelOf(entry);
  replaceWith($("detail-title"), untrusted(titleOf(entry)), el("span", { class: "muted" }, ` #${entry.id}`));
  $("detail-verdict").className = `badge ${level}`;
  replaceWith($("detail-verdict"), el("span", { "aria-hidden": "true" }, `${GLYPHS[level]} `), untrusted(entry.verdict));
  const facts = [
    untrusted(`${entry.method} ${entry.url}`), timeOf(entry.received), formatSize(entry.size),
    entry.status ? `answered with ${entry.status}` : "connection dropped on purpose",
  ];
  if (detail.data?.remote) facts.push(untrusted(`from ${detail.data.remote}`));
  replaceWith($("detail-meta"), ...facts.map((fact) => el("span", {}, fact)));
}

function showReplayable() {
  const { data } = detail;
  const none = server.targets.length === 0;
  const fixed = data?.binary ? "The body is not text, so it cannot be edited here."
    : data?.truncated ? "The body is too long to be edited here." : "";
  $("replay-button").disabled = none;
  $("edit-button").disabled = none || !data || fixed !== "";
  $("replay-note").textContent = none ? NO_TARGETS : fixed;
  for (const kind of ["curl", "send"]) $(`copy-${kind}`).disabled = !data?.[kind];
  $("copy-fixture").disabled = !data?.fixture;
  $("copy-fixture").title = data?.fixture ? visible(data.fixture.name) : "Only a JSON body can be a fixture";
}

// ---- Detail: summary ----

function drawSummary() {
  const { entry, summary, problems } = detail.data;
  const pairs = (summary ?? []).map(([name, value]) => pairRow(untrusted(name), untrusted(value)));
  if (entry.signature) pairs.push(pairRow("Signature", signatureText(entry.signature)));
  const panel = replaceWith($("panel-summary"));
  if (problems.length > 0) panel.append(el("h3", {}, problemCount(problems)), el("ul", { class: "problems" }, ...problems.map(problemItem)));
  else if (entry.level === "good") panel.append(el("p", { class: "note" }, "No problems: the body is what JustCall documents."));
  if (pairs.length > 0) panel.append(el("table", {}, el("tbody", {}, ...pairs)));
  drawTabNumber("body", problems.length, problems.some(isError) ? "bad" : "warn", count(problems.length, "problem"));
}

const pairRow = (name, value) => el("tr", {}, el("th", { scope: "row" }, name), el("td", {}, value));
const isError = (problem) => problem.severity === "error";

function signatureText(signature) {
  const level = signatureLevel(signature);
  return el("span", { class: level }, `${level === "none" ? "?" : GLYPHS[level]} `, untrusted(signature.text || signature.state));
}

function problemCount(problems) {
  const errors = problems.filter(isError).length;
  const parts = [];
  if (errors > 0) parts.push(count(errors, "error"));
  if (errors < problems.length) parts.push(count(problems.length - errors, "warning"));
  return parts.join(", ");
}

function severityMark(problem) {
  return el("span", { class: `severity ${isError(problem) ? "bad" : "warn"}` }, isError(problem) ? "✗ error: " : "! warning: ");
}

function problemItem(problem) {
  const where = el("div", { class: "where" });
  if (problem.pointer) where.append(el("code", {}, untrusted(problem.pointer)));
  if (problem.line > 0) where.append(button(`line ${problem.line}, column ${problem.column}`, () => showLine(problem.line), { class: "quiet" }));
  return el("li", { class: isError(problem) ? "bad" : "warn" },
    el("div", {}, severityMark(problem), el("span", { class: "message" }, untrusted(problem.message))), where);
}

function showLine(number) {
  selectTab("body", { focus: true });
  const line = document.querySelector(`#panel-body .line[data-line="${number}"]`);
  for (const other of document.querySelectorAll(".flash")) other.classList.remove("flash");
  line?.classList.add("flash");
  line?.scrollIntoView({ block: "center" });
}

// ---- Detail: body ----

function drawBody() {
  const { pretty, raw, binary, problems } = detail.data;
  const panel = replaceWith($("panel-body"));
  const text = pretty || raw;
  if (text === "") {
    panel.append(el("p", { class: "note" }, "The body is empty."));
    return;
  }
  if (!pretty) panel.append(el("p", { class: "note" }, binary ? "The body is not text. This is a dump of its bytes." : "The body is not JSON. It is shown as it came."));
  const lines = text.split("\n");
  const shown = shorten(lines);
  if (shown.cut) panel.append(cutNote(`Only the beginning is shown here: ${count(shown.lines.length, "line")} of ${lines.length.toLocaleString("en")}.`));
  const box = el("div", { class: "body" });
  box.style.setProperty("--gutter", `${String(shown.lines.length).length}ch`);
  const byLine = groupByLine(problems);
  shown.lines.forEach((line, i) => box.append(...lineNodes(line, i + 1, byLine.get(i + 1) ?? [], Boolean(pretty))));
  panel.append(box);
}

function groupByLine(problems) {
  const groups = new Map();
  for (const problem of problems) groups.set(problem.line, [...(groups.get(problem.line) ?? []), problem]);
  return groups;
}

// shorten keeps what can be drawn without holding up the page.
function shorten(lines) {
  const kept = [];
  let room = BODY_CHARS;
  for (const line of lines) {
    if (kept.length >= BODY_LINES || room <= 0) return { lines: kept, cut: true };
    kept.push(line.slice(0, room));
    if (line.length > room) return { lines: kept, cut: true };
    room -= line.length + 1;
  }
  return { lines: kept, cut: false };
}

function cutNote(text) {
  const showAll = () => {
    selectTab("raw", { focus: true });
    showAllRaw();
  };
  return el("p", { class: "note" }, text, " ", button("Show all as raw text", showAll));
}

function lineNodes(text, number, problems, highlight) {
  const code = el("code");
  const tokens = highlight && text.length <= HIGHLIGHT_CHARS ? tokensOf(text) : [];
  const marks = problems.map((problem) => markOf(text, problem));
  for (const part of cutLine(text, tokens, marks)) code.append(partNode(text, part));
  const atEnd = marks.find((mark) => mark.start >= text.length);
  if (atEnd) code.append(el("mark", { class: atEnd.severity }, "\u00a0"));
  const line = el("div", { class: "line", "data-line": number }, code);
  if (problems.length > 0) line.classList.add("marked", problems.some(isError) ? "error" : "warning");
  return [line, ...problems.map((problem) => problemLine(problem))];
}

function problemLine(problem) {
  const node = el("div", { class: "problem" }, el("span", {}, severityMark(problem), untrusted(problem.message)));
  node.style.setProperty("--column", Math.max(0, problem.column - 1));
  return node;
}

const JSON_TOKEN = /("(?:[^"\\]|\\.)*")(\s*:)?|-?\d[\d.eE+-]*|\b(?:true|false|null)\b/g;

function tokensOf(text) {
  return Array.from(text.matchAll(JSON_TOKEN), (match) => {
    const [whole, string, colon] = match;
    const name = string ? (colon ? "key" : "string") : /[\d-]/.test(whole[0]) ? "number-value" : "literal";
    return { start: match.index, end: match.index + (string ?? whole).length, name };
  });
}

// Columns count code points; strings here count UTF-16 units.
function indexOfColumn(text, column) {
  let index = 0;
  for (const char of text) {
    if (--column < 1) break;
    index += char.length;
  }
  return index;
}

function markOf(text, problem) {
  const start = indexOfColumn(text, problem.column);
  const end = indexOfColumn(text, problem.column + Math.max(1, problem.length));
  return { start, end, severity: isError(problem) ? "error" : "warning" };
}

// cutLine cuts a line wherever a token or a mark begins or ends.
function cutLine(text, tokens, marks) {
  const cuts = new Set([0, text.length]);
  for (const range of [...tokens, ...marks]) cuts.add(range.start).add(range.end);
  const at = [...cuts].sort((a, b) => a - b);
  const covers = (start) => (range) => range.start <= start && start < range.end;
  return at.slice(1).map((end, i) => ({
    start: at[i], end,
    token: tokens.find(covers(at[i])),
    mark: marks.filter(covers(at[i])).sort((a, b) => a.severity.localeCompare(b.severity))[0],
  }));
}

function partNode(text, { start, end, token, mark }) {
  const part = fill(el("span", token ? { class: token.name } : {}), text.slice(start, end));
  return mark ? el("mark", { class: mark.severity }, part) : part;
}

// ---- Detail: raw, headers ----

function drawRaw() {
  const { raw, binary, truncated } = detail.data;
  const panel = replaceWith($("panel-raw"));
  if (raw === "") panel.append(el("p", { class: "note" }, "The body is empty."));
  if (binary) panel.append(el("p", { class: "note" }, "The body is not text. This is a dump of its bytes."));
  if (truncated) panel.append(el("p", { class: "note" }, "The body is longer: jc-webhooks hands out only its beginning."));
  if (raw.length > BODY_CHARS) panel.append(cutNote(`Only the first ${BODY_CHARS.toLocaleString("en")} of ${count(raw.length, "character")} are shown.`));
  panel.append(untrustedBlock(raw.slice(0, BODY_CHARS)));
}

// A text area draws a megabyte at once where styled text would take seconds.
function showAllRaw() {
  const { raw } = detail.data;
  const area = el("textarea", { readonly: true, class: "all-text", "aria-label": "The whole body", spellcheck: "false" });
  area.value = visible(raw, HIDDEN_IN_BLOCK);
  replaceWith($("panel-raw"), area);
}

function drawHeaders() {
  const rows = Object.entries(detail.data.header ?? {}).sort(([a], [b]) => a.localeCompare(b))
    .flatMap(([name, values]) => values.map((value) => pairRow(untrusted(name), untrusted(value))));
  const table = el("table", {}, el("tbody", {}, ...rows));
  replaceWith($("panel-headers"), rows.length > 0 ? table : el("p", { class: "note" }, "There were no headers."));
}

// ---- Detail: forward ----

function drawForwards() {
  const { forwards } = detail.data.entry;
  const failed = latestForward(forwards)?.ok === false;
  drawTabNumber("forward", forwards.length, failed ? "bad" : "", count(forwards.length, "attempt"));
  if (forwards.length === 0) {
    const text = server.targets.length === 0 ? `This delivery was not forwarded. ${NO_TARGETS}` : "This delivery was not forwarded yet.";
    replaceWith($("panel-forward"), el("p", { class: "note" }, text));
    return;
  }
  replaceWith($("panel-forward"), el("ol", { class: "attempts", reversed: true }, ...forwards.map(attemptItem).reverse()));
}

function attemptItem(forward) {
  const level = forwardLevel(forward);
  const kind = [forward.replay ? "replay" : "forward", ...(forward.edited ? ["edited body"] : [])].join(", ");
  const head = el("div", { class: "attempt-head" },
    el("strong", { class: level }, `${GLYPHS[level]} `, untrusted(outcomeOf(forward))), el("span", {}, kind), timeOf(forward.time),
    el("code", { class: "url" }, untrusted(forward.url)));
  const item = el("li", {}, head);
  if (forward.error) item.append(el("p", { class: "bad" }, untrusted(forward.error)));
  if (forward.note) item.append(el("p", {}, untrusted(forward.note)));
  if (forward.body) item.append(untrustedBlock(forward.body));
  return item;
}

// ---- Tabs ----

const tabs = () => [...document.querySelectorAll("[role=tab]")];
const panels = () => [...document.querySelectorAll("[role=tabpanel]")];

function selectTab(name, { focus = false, write = true } = {}) {
  detail.tab = name;
  for (const tab of tabs()) {
    const chosen = tab.id === `tab-${name}`;
    tab.setAttribute("aria-selected", String(chosen));
    tab.tabIndex = chosen ? 0 : -1;
    $(tab.getAttribute("aria-controls")).hidden = !chosen;
    if (chosen && focus) tab.focus();
    if (chosen) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  if (write) writeHash();
}

function onTabKey(event) {
  const all = tabs();
  const at = all.indexOf(event.target);
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: all.length - 1 }[event.key];
  if (at < 0 || to === undefined) return;
  event.preventDefault();
  selectTab(all.at(to % all.length).id.replace("tab-", ""), { focus: true });
}

function drawTabNumber(name, n, level, label) {
  const tab = $(`tab-${name}`);
  tab.querySelector(".number")?.remove();
  if (n > 0) tab.append(el("span", { class: `number ${level}`, title: label }, String(n)));
}

// ---- Copying ----

async function copy(text, what) {
  try {
    await navigator.clipboard.writeText(text);
    toast(`Copied ${what}.`);
  } catch {
    $("copy-text").value = text;
    $("copy-dialog").showModal();
    $("copy-text").focus();
    $("copy-text").select();
  }
}

let toastTimer = 0;

function toast(text) {
  replaceWith($("toast"), untrusted(text));
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => replaceWith($("toast")), 5000);
}

// ---- Replaying ----

let replaying = false;

// replay sends the delivery again, with another body when one is given, and shows how it went.
async function replay(body) {
  const { id } = detail;
  replaying = true;
  try {
    const forward = await api(`/api/deliveries/${id}/replay`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ target: Number($("target").value) || 0, ...(body === undefined ? {} : { body }) }),
    });
    toast(`Replayed to ${forward.url} → ${outcomeOf(forward)}`);
    if (detail.id === id) selectTab("forward");
    await refresh(id);
  } finally {
    replaying = false;
  }
}

// refresh does not wait for the stream to tell of the attempt, which it will when this fails.
async function refresh(id) {
  try {
    receive([(await api(`/api/deliveries/${id}`)).entry]);
  } catch { /* the replay itself went well */ }
}

async function replayOpen() {
  if (replaying || !detail.id) return;
  if (server.targets.length === 0) {
    toast(NO_TARGETS);
    return;
  }
  toast("Replaying…");
  try {
    await replay();
  } catch (error) {
    toast(`Not replayed: ${error.message}`);
  }
}

function openEditor() {
  if (!detail.data) return;
  if ($("edit-button").disabled) {
    toast($("replay-note").textContent);
    return;
  }
  // A text closed by mistake is still there when the same delivery is edited again.
  if ($("edit-dialog").dataset.id !== String(detail.id)) resetEditor();
  $("edit-target").textContent = `, to ${visible(server.targets[Number($("target").value) || 0])}`;
  showEditTrouble("");
  showEditHint();
  $("edit-dialog").showModal();
  $("edit-text").focus();
  $("edit-text").setSelectionRange(0, 0);
}

function resetEditor() {
  $("edit-dialog").dataset.id = detail.id;
  $("edit-text").value = detail.data.raw;
  showEditHint();
}

// A text area turns every line end into \n. Where all of them were \r\n they are made so again.
const hasCRLF = (raw) => raw.includes("\r\n") && !/[^\r]\n|^\n|\r(?!\n)/.test(raw);
const hasOtherCR = (raw) => raw.includes("\r") && !hasCRLF(raw);

function editedBody() {
  const text = $("edit-text").value;
  return hasCRLF(detail.data.raw) ? text.replaceAll("\n", "\r\n") : text;
}

function showEditHint() {
  const text = editedBody();
  const parts = [jsonHint(text), formatSize(new TextEncoder().encode(text).length)];
  const hidden = text.match(new RegExp(HIDDEN_IN_BLOCK.source, "gu"))?.filter((found) => found !== "\r") ?? [];
  if (hidden.length > 0) parts.push(`has characters that do not show: ${escapes([...new Set(hidden)].slice(0, 5).join(""))}`);
  if (hasCRLF(detail.data.raw)) parts.push("line ends are \\r\\n");
  if (hasOtherCR(detail.data.raw)) parts.push("line ends become \\n");
  $("edit-hint").textContent = parts.join(" · ");
}

function jsonHint(text) {
  try {
    JSON.parse(text);
    return "✓ JSON";
  } catch (error) {
    return `! not JSON: ${visible(error.message)}`;
  }
}

function showEditTrouble(text) {
  $("edit-error").textContent = visible(text);
  $("edit-error").hidden = text === "";
}

async function sendEdited() {
  if (replaying) return;
  showEditTrouble("");
  try {
    await replay(editedBody());
    delete $("edit-dialog").dataset.id;
    $("edit-dialog").close();
  } catch (error) {
    showEditTrouble(`Not sent: ${error.message}`);
  }
}

// ---- Keys ----

const isTyping = (node) => node instanceof HTMLElement && (node.isContentEditable || ["INPUT", "TEXTAREA", "SELECT"].includes(node.tagName));
const inListOrNowhere = (node) => node === document.body || node.closest?.("#rows") || node.id === "detail-title";

// withDelivery does something with the delivery at hand, and opens it first: the focused row, else the open one.
async function withDelivery(action) {
  const focused = Number(document.activeElement?.closest(".row")?.dataset.id);
  const id = focused || detail.id || (view.ids.includes(view.current) ? view.current : 0);
  if (id && id !== detail.id) await openDelivery(id);
  if (id && id === detail.id) action();
}

const KEYS = {
  j: () => move(1),
  k: () => move(-1),
  g: goTop,
  r: () => withDelivery(replayOpen),
  e: () => withDelivery(openEditor),
  "/": () => {
    if (listIsHidden()) closeDetail();
    $("filter-text").focus();
    $("filter-text").select();
  },
  "?": () => $("help-dialog").showModal(),
  Escape: () => closeDetail(),
};

const LIST_KEYS = {
  ArrowDown: () => move(1),
  ArrowUp: () => move(-1),
  PageDown: () => move(10),
  PageUp: () => move(-10),
  Home: goTop,
  End: () => focusRow(view.ids.at(-1)),
};

const openFocused = (event) => {
  const id = Number(event.target.closest?.(".row")?.dataset.id);
  if (id) openDelivery(id);
  return Boolean(id);
};

function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  if (isTyping(event.target) || document.querySelector("dialog[open]")) return;
  if (event.key === "Enter" || event.key === " ") {
    if (openFocused(event)) event.preventDefault();
    return;
  }
  const action = (Object.hasOwn(KEYS, event.key) && KEYS[event.key])
    || (Object.hasOwn(LIST_KEYS, event.key) && inListOrNowhere(event.target) && LIST_KEYS[event.key]);
  if (!action) return;
  event.preventDefault();
  action();
}

// ---- Start ----

function onClick(id, action) {
  $(id).addEventListener("click", action);
}

function wireList() {
  $("scroller").addEventListener("scroll", schedule, { passive: true });
  $("rows").addEventListener("click", openFocused);
  $("rows").addEventListener("focusin", (event) => { view.current = Number(event.target.dataset.id) || view.current; });
  new ResizeObserver(schedule).observe($("scroller"));
  $("filter-text").addEventListener("input", (event) => setFilter({ text: event.target.value }));
  $("filter-text").addEventListener("keydown", (event) => { // Escape empties the field, and leaves it when it is empty
    if (event.key === "Enter" || (event.key === "Escape" && !filter.text)) focusRow(view.ids[0]);
  });
  $("filter-event").addEventListener("change", (event) => setFilter({ event: event.target.value }));
  $("filter-verdict").addEventListener("change", (event) => setFilter({ verdict: event.target.value }));
  onClick("clear-filters", clearFilters);
  onClick("older-button", loadOlder);
  onClick("new-button", goTop);
}

function wireDetail() {
  $("tabs").addEventListener("keydown", onTabKey);
  for (const tab of tabs()) tab.addEventListener("click", () => selectTab(tab.id.replace("tab-", "")));
  onClick("back-button", () => closeDetail());
  onClick("close-button", () => closeDetail());
  onClick("replay-button", replayOpen);
  onClick("edit-button", openEditor);
  onClick("copy-curl", () => copy(detail.data.curl, "as curl"));
  onClick("copy-send", () => copy(detail.data.send, "as send"));
  onClick("copy-fixture", () => copy(detail.data.fixture.text, `as fixture ${detail.data.fixture.name}`));
}

function wireDialogs() {
  $("edit-text").addEventListener("input", showEditHint);
  onClick("edit-reset", resetEditor);
  onClick("edit-cancel", () => $("edit-dialog").close());
  onClick("edit-send", sendEdited);
  onClick("copy-close", () => $("copy-dialog").close());
  onClick("help-close", () => $("help-dialog").close());
  onClick("help-button", () => $("help-dialog").showModal());
}

function start() {
  wireList();
  wireDetail();
  wireDialogs();
  onClick("copy-listening", () => copy(server.listening, "the listening URL"));
  onClick("skip", (event) => { // the hash is for the filters
    event.preventDefault();
    if (view.ids.length > 0) focusRow(view.ids.includes(view.current) ? view.current : view.ids[0]);
    else $("filter-text").focus();
  });
  document.addEventListener("keydown", onKey);
  window.addEventListener("popstate", readHash);
  selectTab("summary", { write: false });
  readHash();
  load();
}

start();
