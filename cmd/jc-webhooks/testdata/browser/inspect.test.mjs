// Looks at the inspector of `jc-webhooks listen` in a real browser.
//
//   INSPECT_URL   the page, e.g. http://127.0.0.1:2256/          (required)
//   LISTEN_URL    where deliveries are posted to                 (required)
//   TARGET_PORT   the port of the forward target, which this test opens; listen needs
//                 --forward-to http://127.0.0.1:TARGET_PORT/...  (without it nothing is replayed)
//   CHROMIUM      the browser, else /usr/bin/chromium
//   SCREENSHOTS   a folder for screenshots
//
// Exit codes: 0 all is well, 1 a check failed, 2 the test could not be run.

import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createServer, request as httpRequest } from "node:http";
import { createRequire } from "node:module";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { chromium } from "playwright-core";

const { INSPECT_URL, LISTEN_URL, TARGET_PORT, SCREENSHOTS } = process.env;
const CHROMIUM = process.env.CHROMIUM || "/usr/bin/chromium";
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
const WIDE = { width: 1280, height: 800 };
const NARROW = { width: 400, height: 800 };
const MAX_PAGE_BYTES = 80_000;
const RUN = Date.now().toString(36); // tells the deliveries of this run from older ones

if (!INSPECT_URL || !LISTEN_URL) {
  console.error("inspect.test: set INSPECT_URL (the page) and LISTEN_URL (where deliveries are posted to)");
  process.exit(2);
}

// ---- Deliveries ----

const call = (changes = {}) => JSON.stringify({
  event: "call.missed",
  timestamp: "2026-03-12T14:32:00Z",
  data: {
    call_id: `call_${RUN}`, direction: "inbound", from: "+14155558765", to: "+14155551234",
    agent_id: null, ring_duration: 30, status: "missed", ...changes,
  },
});

async function post(body, headers = {}) {
  const response = await fetch(LISTEN_URL, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body });
  await response.arrayBuffer();
}

// target is the handler that listen forwards to. It keeps the bodies it was sent.
async function openTarget() {
  const bodies = [];
  const handler = createServer((request, response) => {
    const chunks = [];
    request.on("data", (chunk) => chunks.push(chunk));
    request.on("end", () => {
      bodies.push(Buffer.concat(chunks).toString());
      response.end("thank you");
    });
  });
  await new Promise((resolve, reject) => handler.once("error", reject).listen(Number(TARGET_PORT), "127.0.0.1", resolve));
  return { bodies, close: () => handler.close() };
}

// A cuttable proxy stands between browser and inspector. `setOffline` of the browser would leave an open stream open.
async function openProxy() {
  const sockets = new Set();
  let isCut = false;
  const proxy = createServer((request, response) => {
    const { method, headers, url } = request;
    const onward = httpRequest(url, { method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on("error", () => response.destroy());
    });
    onward.on("error", () => response.destroy());
    response.on("close", () => onward.destroy());
    request.pipe(onward);
  });
  proxy.on("connection", (socket) => {
    if (isCut) return socket.destroy();
    sockets.add(socket);
    return socket.on("error", () => {}).on("close", () => sockets.delete(socket));
  });
  await new Promise((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${proxy.address().port}`,
    cut() {
      isCut = true;
      for (const socket of sockets) socket.destroy();
    },
    mend() { isCut = false; },
    close: () => proxy.close(),
  };
}

async function eventually(what, condition, timeout = 30_000) {
  const end = Date.now() + timeout;
  for (;;) {
    if (await condition()) return;
    if (Date.now() > end) assert.fail(`in vain waited for: ${what}`);
    await sleep(50);
  }
}

// ---- The page ----

const rows = (page) => page.locator("#rows .row");
const rowOf = (page, text) => rows(page).filter({ hasText: text });
const topId = async (page) => Number(await rows(page).first().getAttribute("data-id"));
const countText = (page) => page.locator("#count").textContent();
const focusedId = (page) => page.evaluate(() => Number(document.activeElement.dataset.id));

async function waitLive(page) {
  await page.locator('#connection[data-state="live"]').waitFor({ timeout: 30_000 });
  assert.equal(await page.locator("#connection-text").textContent(), "live");
}

async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: WIDE, ...options });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000); // a busy machine
  page.complaints = [];
  page.on("pageerror", (error) => page.complaints.push(String(error)));
  page.on("console", (message) => {
    const offline = page.offline && message.text().includes("net::ERR_");
    if (message.type() === "error" && !offline) page.complaints.push(message.text());
  });
  await page.addInitScript(() => {
    window.violations = [];
    document.addEventListener("securitypolicyviolation", (event) => window.violations.push(`${event.violatedDirective} ${event.blockedURI}`));
  });
  await page.goto(INSPECT_URL);
  await waitLive(page);
  // What is there already is drawn a frame later: a new row is told from it by its id.
  await page.waitForFunction(() => document.querySelector("#rows .row") || !document.getElementById("empty").hidden || document.body.classList.contains("detail-open"));
  return page;
}

// postAndWait posts a body and gives the id of its row.
async function postAndWait(page, body, headers) {
  const before = (await rows(page).count()) > 0 ? await topId(page) : 0;
  await post(body, headers);
  await eventually("a new row", async () => (await rows(page).count()) > 0 && (await topId(page)) > before);
  return topId(page);
}

async function openDetail(page, id) {
  await page.locator(`#row-${id}`).click();
  await page.locator("#panel-raw pre, #panel-raw .note").first().waitFor({ state: "attached" });
  await eventually("the detail", async () => (await page.locator("#detail-title").textContent()).endsWith(`#${id}`));
}

const openTab = (page, name) => page.locator(`#tab-${name}`).click();

async function close(page) {
  assert.deepEqual(await page.evaluate(() => window.violations), [], "violations of the content security policy");
  assert.deepEqual(page.complaints, [], "errors in the console");
  await page.context().close();
}

const hasTargets = async (page) => page.locator("#replay-button").evaluate((node) => !node.disabled);

// ---- Checks ----

const checks = {
  async "posted events appear without a reload"(browser) {
    const page = await openPage(browser);
    await postAndWait(page, call());
    await postAndWait(page, call({ agent_id: "42" }));
    const first = await rows(page).first().innerText();
    assert.match(first, /call\.missed/);
    assert.match(first, /invalid/);
    assert.ok(await rows(page).first().locator("time").getAttribute("title"), "the time has no full form");
    await close(page);
  },

  async "the stream resumes after a cut and nothing is missed"(browser) {
    const proxy = await openProxy();
    const page = await openPage(browser, { proxy: { server: proxy.url } });
    await postAndWait(page, call());
    page.offline = true;
    proxy.cut();
    await page.locator('#connection[data-state="reconnecting"]').waitFor({ timeout: 30_000 });
    const before = await topId(page);
    for (let i = 0; i < 3; i++) await post(call({ call_id: `cut_${RUN}_${i}` }));
    await sleep(300);
    assert.equal(await topId(page), before, "a row came through a connection that is cut");
    proxy.mend();
    await waitLive(page);
    await eventually("the three rows of the time between", async () => (await topId(page)) === before + 3);
    const ids = await rows(page).evaluateAll((nodes) => nodes.slice(0, 4).map((node) => Number(node.dataset.id)));
    assert.deepEqual(ids, [before + 3, before + 2, before + 1, before]);
    await close(page);
    proxy.close();
  },

  async "it is not called live before the stream is open"(browser) {
    const context = await browser.newContext();
    const page = await context.newPage();
    let release;
    const held = new Promise((resolve) => { release = resolve; });
    await page.route("**/api/stream*", async (route) => { await held; await route.continue(); });
    await page.goto(INSPECT_URL);
    await page.locator("#count", { hasNotText: "Loading" }).waitFor();
    await sleep(300);
    assert.notEqual(await page.locator("#connection").getAttribute("data-state"), "live");
    release();
    await waitLive(page);
    await context.close();
  },

  async "filters by text, event and verdict, and keeps them over a reload"(browser) {
    const page = await openPage(browser);
    await postAndWait(page, call());
    await postAndWait(page, call({ agent_id: "42" }));
    const id = await postAndWait(page, `not JSON ${RUN}`);
    await page.locator("#filter-verdict").selectOption("not JSON");
    await eventually("only what is not JSON", async () => (await rows(page).allInnerTexts()).every((text) => text.includes("not JSON")));
    assert.match(await countText(page), /^[\d,]+ of [\d,]+$/);
    await page.locator("#filter-verdict").selectOption("invalid");
    await eventually("no row that is not JSON", async () => (await rowOf(page, "not JSON").count()) === 0);
    await page.locator("#filter-verdict").selectOption("");
    await page.locator("#filter-event").selectOption("call.missed");
    await eventually("only call.missed", async () => (await rows(page).allInnerTexts()).every((text) => text.includes("call.missed")));
    await page.locator("#filter-event").selectOption("");
    await page.locator("#filter-text").fill(`#${id}`);
    await eventually("one row", async () => (await rows(page).count()) >= 1 && (await topId(page)) === id);
    await page.reload();
    await waitLive(page);
    assert.equal(await page.locator("#filter-text").inputValue(), `#${id}`);
    assert.equal(await topId(page), id);
    await page.locator("#filter-text").fill("nothing has this in it");
    await page.locator("#empty button", { hasText: "Clear filters" }).click();
    await eventually("all rows", async () => (await rows(page).count()) >= 3);
    await close(page);
  },

  async "the list stays where it is while the user reads further down"(browser) {
    const page = await openPage(browser);
    for (let i = 0; i < 20; i++) await postAndWait(page, call());
    await eventually("a list that can be scrolled", () => page.locator("#scroller").evaluate((node) => node.scrollHeight > node.clientHeight + 200));
    await page.locator("#scroller").evaluate((node) => { node.scrollTop = 150; });
    await sleep(100);
    const topRow = () => page.evaluate(() => {
      const box = document.getElementById("scroller").getBoundingClientRect();
      const row = document.elementFromPoint(box.left + 100, box.top + 80).closest(".row");
      return `${row.dataset.id} at ${Math.round(row.getBoundingClientRect().top)}`;
    });
    const before = await topRow();
    await post(call());
    await post(call());
    await page.locator("#new-button", { hasText: "2 new" }).waitFor();
    assert.equal(await topRow(), before);
    await page.locator("#new-button").click();
    await page.locator("#new-button").waitFor({ state: "hidden" });
    await close(page);
  },

  async "a problem is marked at its line"(browser) {
    const page = await openPage(browser);
    await openDetail(page, await postAndWait(page, call({ agent_id: "42" })));
    await openTab(page, "body");
    const marked = page.locator("#panel-body .line", { has: page.locator("mark.error") });
    await marked.first().waitFor();
    assert.equal(await marked.count(), 1);
    assert.equal(await marked.getAttribute("data-line"), "9");
    assert.equal(await marked.locator("mark").textContent(), '"42"');
    assert.match(await page.locator(".line[data-line='9'] + .problem").innerText(), /error: .*want integer/);
    await openTab(page, "summary");
    await page.locator("#panel-summary").getByRole("button", { name: /line 9/ }).click();
    assert.equal(await page.locator("#tab-body").getAttribute("aria-selected"), "true");
    await close(page);
  },

  async "raw is what was posted, and the headers are there"(browser) {
    const page = await openPage(browser);
    const body = `  ${call({ note: "grüße 👋" })}\n\n`;
    await openDetail(page, await postAndWait(page, body, { "X-Test-Header": `value-${RUN}` }));
    await openTab(page, "raw");
    assert.equal(await page.locator("#panel-raw pre").textContent(), body);
    await openTab(page, "headers");
    assert.match(await page.locator("#panel-headers").innerText(), new RegExp(`X-Test-Header\\s+value-${RUN}`, "i"));
    await close(page);
  },

  async "copies as curl, and shows the text when the clipboard is refused"(browser) {
    const page = await openPage(browser);
    await page.context().grantPermissions(["clipboard-read", "clipboard-write"], { origin: new URL(INSPECT_URL).origin });
    await openDetail(page, await postAndWait(page, call()));
    await page.locator("#copy-curl").click();
    await page.locator("#toast", { hasText: "Copied" }).waitFor();
    const text = await page.evaluate(() => navigator.clipboard.readText());
    assert.match(text, /^curl /);
    assert.ok(text.includes(`call_${RUN}`), "the command does not have the body");
    await page.evaluate(() => { navigator.clipboard.writeText = () => Promise.reject(new Error("refused")); });
    await page.locator("#copy-send").click();
    await page.locator("#copy-dialog[open]").waitFor();
    assert.match(await page.evaluate(() => getSelection().toString()), /jc-webhooks send/);
    await page.keyboard.press("Escape");
    await close(page);
  },

  async "replays, as it was and edited"(browser, target) {
    const page = await openPage(browser);
    const body = call({ note: "once more" });
    await openDetail(page, await postAndWait(page, body));
    if (!(await hasTargets(page))) {
      assert.match(await page.locator("#replay-note").textContent(), /--forward-to/);
      await close(page);
      return "there is no forward target: only the explanation was looked at";
    }
    if (!target) {
      await close(page);
      return "TARGET_PORT is not set";
    }
    await eventually("the forwarded delivery", () => target.bodies.includes(body));
    target.bodies.length = 0;
    await page.locator("#replay-button").click();
    await eventually("the replay", () => target.bodies.length === 1);
    assert.equal(target.bodies[0], body);
    await page.locator("#panel-forward li", { hasText: "replay" }).first().waitFor();
    assert.match(await page.locator("#panel-forward li").first().innerText(), /200[\s\S]*thank you/);
    const edited = `{"event": "broken",\n\t"text": "ü👋"`;
    await page.locator("#edit-button").click();
    assert.equal(await page.locator("#edit-text").inputValue(), body);
    await page.locator("#edit-text").fill(edited);
    assert.match(await page.locator("#edit-hint").textContent(), /not JSON/);
    await page.locator("#edit-send").click();
    await eventually("the edited replay", () => target.bodies.length === 2);
    assert.equal(target.bodies[1], edited);
    await page.locator("#edit-dialog").waitFor({ state: "hidden" });
    await page.locator("#panel-forward li", { hasText: "edited" }).first().waitFor();
    await close(page);
  },

  async "everything can be done with keys"(browser) {
    const page = await openPage(browser);
    await postAndWait(page, call());
    const id = await postAndWait(page, call());
    await page.keyboard.press("j");
    assert.equal(await focusedId(page), id);
    await page.keyboard.press("j");
    assert.equal(await focusedId(page), id - 1);
    await page.keyboard.press("k");
    assert.equal(await focusedId(page), id);
    await page.keyboard.press("Enter");
    await page.locator(`#row-${id}[aria-selected="true"]`).waitFor();
    await page.locator("#panel-raw pre").waitFor({ state: "attached" });
    await page.keyboard.press("r");
    await page.locator("#toast", { hasText: /Replay|forward-to/ }).waitFor();
    await page.locator("[role=tab][aria-selected=true]").focus();
    await page.keyboard.press("Home");
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.evaluate(() => document.activeElement.id), "tab-body");
    await page.keyboard.press("Escape");
    await page.locator("#detail").waitFor({ state: "hidden" });
    assert.equal(await focusedId(page), id);
    await page.keyboard.press("?");
    await page.locator("#help-dialog[open]").waitFor();
    await page.keyboard.press("Escape");
    await page.locator("#help-dialog").waitFor({ state: "hidden" });
    await page.keyboard.press("/");
    await page.keyboard.type("jk?");
    assert.equal(await page.locator("#filter-text").inputValue(), "jk?");
    await close(page);
  },

  async "HTML and bidi controls in a payload are shown as text"(browser) {
    const page = await openPage(browser);
    const html = `<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>`;
    const body = JSON.stringify({ event: `<b>${RUN}</b>\u202e`, data: { body: `${html} \u202egpj.exe` } });
    const id = await postAndWait(page, body, { "X-Html": html });
    await openDetail(page, id);
    for (const tab of ["summary", "body", "raw", "headers", "forward"]) await openTab(page, tab);
    await sleep(200);
    assert.equal(await page.evaluate(() => window.hacked), undefined, "a script of the payload ran");
    assert.equal(await page.locator("#detail img, #detail script, #detail b, #rows img, #rows b").count(), 0, "markup of the payload became elements");
    assert.ok(!(await page.locator("body").evaluate((node) => node.textContent)).includes("\u202e"), "a bidi override is on the page");
    assert.match(await page.locator("#panel-raw .control").first().textContent(), /\\u202e/);
    assert.match(await page.locator("#panel-raw").evaluate((node) => node.textContent), /<script>window\.hacked=1<\/script>/);
    await close(page);
  },

  async "of a body of a megabyte only a part is drawn"(browser) {
    const page = await openPage(browser);
    const id = await postAndWait(page, call({ note: Array.from({ length: 40_000 }, (_, i) => `value ${i} ${RUN}`) }));
    await openDetail(page, id);
    await openTab(page, "body");
    const drawn = await page.locator("#panel-body *").count();
    assert.ok(drawn > 0 && drawn < 50_000, `${drawn} elements are drawn`);
    await page.locator("#panel-body button", { hasText: "Show all as raw text" }).click();
    await page.locator("#panel-raw textarea, #panel-raw .note").first().waitFor();
    await close(page);
  },

  async "nothing is wider than 400 pixels"(browser) {
    const page = await openPage(browser, { viewport: NARROW });
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    const id = await postAndWait(page, call({ agent_id: "42", note: "x".repeat(500) }));
    assert.equal(await overflow(), 0, "the list scrolls sideways");
    await openDetail(page, id);
    for (const tab of ["summary", "body", "raw", "headers", "forward"]) {
      await openTab(page, tab);
      const inside = await page.locator(`#panel-${tab}`).evaluate((node) => node.scrollWidth - node.clientWidth);
      assert.ok((await overflow()) === 0 && inside <= 0, `the tab ${tab} scrolls sideways`);
    }
    await page.locator("#back-button").click();
    await rows(page).first().waitFor();
    await close(page);
  },

  async "axe finds nothing to mend"(browser) {
    for (const [name, options] of Object.entries(LOOKS)) {
      const page = await openPage(browser, { ...options, bypassCSP: true });
      await page.addScriptTag({ path: AXE });
      const examine = async (what) => {
        const { violations } = await page.evaluate(() => window.axe.run());
        const found = violations.map((v) => `${v.id}: ${v.nodes.map((node) => node.target.join(" ")).join(", ")}`);
        assert.deepEqual(found, [], `${name}, ${what}`);
      };
      await examine("list");
      await openDetail(page, await postAndWait(page, call({ agent_id: "42", ring_duratoin: 30 })));
      for (const tab of ["summary", "body", "raw", "headers", "forward"]) {
        await openTab(page, tab);
        await examine(`tab ${tab}`);
      }
      await page.keyboard.press("?");
      await examine("dialog of keys");
      await page.keyboard.press("Escape");
      if (await hasTargets(page)) {
        await page.locator("#edit-button").click();
        await examine("dialog to edit");
      }
      await page.context().close();
    }
  },

  async "the page is small"(browser) {
    const page = await openPage(browser);
    const files = await page.evaluate(() => [...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
      .map((entry) => ({ path: new URL(entry.name).pathname, size: entry.encodedBodySize }))
      .filter((file) => !file.path.startsWith("/api/")));
    const bytes = [...new Map(files.map((file) => [file.path, file.size])).values()].reduce((sum, size) => sum + size, 0);
    assert.ok(files.length >= 3 && bytes > 1_000, "the files of the page were not seen");
    assert.ok(bytes < MAX_PAGE_BYTES, `${bytes} bytes`);
    await close(page);
    return `${bytes} bytes`;
  },
};

const LOOKS = {
  light: { colorScheme: "light" },
  dark: { colorScheme: "dark" },
  narrow: { colorScheme: "light", viewport: NARROW },
  "narrow-dark": { colorScheme: "dark", viewport: NARROW },
};

async function takeScreenshots(browser) {
  await mkdir(SCREENSHOTS, { recursive: true });
  for (const [name, options] of Object.entries(LOOKS)) {
    const page = await openPage(browser, options);
    const shoot = (what) => page.screenshot({ path: join(SCREENSHOTS, `${name}-${what}.png`) });
    const id = await postAndWait(page, call({ agent_id: "42", ring_duratoin: 30 }));
    await shoot("list");
    await openDetail(page, id);
    for (const tab of ["summary", "body", "forward"]) {
      await openTab(page, tab);
      await shoot(tab);
    }
    await page.context().close();
  }
}

async function main() {
  const target = TARGET_PORT ? await openTarget() : null;
  const root = process.getuid?.() === 0;
  const browser = await chromium.launch({ executablePath: CHROMIUM, args: root ? ["--no-sandbox"] : [] });
  let failed = false;
  for (const [name, check] of Object.entries(checks)) {
    try {
      const note = await check(browser, target);
      console.log(`ok ${name}${note ? ` (${note})` : ""}`);
    } catch (error) {
      console.log(`not ok ${name}\n${error.stack}`);
      failed = true;
      break;
    }
  }
  if (SCREENSHOTS && !failed) await takeScreenshots(browser);
  await browser.close();
  target?.close();
  return failed ? 1 : 0;
}

main().then((code) => process.exit(code), (error) => {
  console.error(`inspect.test: ${error.message}`);
  process.exit(2);
});
