// The peer of docs/benchmarks.md: ajv 8 over NDJSON, one compiled validator per
// event type. With a second argument N, N worker threads share the file.
//
//   node ajv.mjs events.ndjson [N]
import { createReadStream, openSync, readSync, readdirSync, readFileSync, statSync, closeSync } from "node:fs";
import { createInterface } from "node:readline";
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { fileURLToPath } from "node:url";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.cwd(), "x.js")); // node_modules of the working directory
const Ajv = require("ajv/dist/2020").default;
const addFormats = require("ajv-formats").default;

const fixtures = path.join(path.dirname(fileURLToPath(import.meta.url)), "../../fixtures");
const ajv = new Ajv({ allErrors: false, strict: false });
addFormats(ajv);
ajv.addFormat("phone", true);
const validators = new Map();
for (const name of readdirSync(fixtures)) {
  if (name.endsWith(".schema.json")) {
    const schema = JSON.parse(readFileSync(path.join(fixtures, name), "utf8"));
    validators.set(schema.properties.event.const, ajv.compile(schema));
  }
}

function judge(line) {
  let payload;
  try {
    payload = JSON.parse(line);
    if (payload.kind === "delivery") payload = JSON.parse(payload.body);
  } catch {
    return false;
  }
  const validate = validators.get(payload.event);
  return validate !== undefined && validate(payload);
}

// The lines of file from byte begin on, up to the one that crosses end.
function judgeRange(file, begin, end) {
  const fd = openSync(file);
  const buffer = Buffer.allocUnsafe(1 << 20);
  let valid = 0, invalid = 0, carry = "", at = begin, skip = begin > 0;
  const decoder = new TextDecoder();
  for (;;) {
    const n = readSync(fd, buffer, 0, buffer.length, at);
    const text = carry + decoder.decode(buffer.subarray(0, n), { stream: n > 0 });
    const lines = text.split("\n");
    carry = lines.pop();
    for (const line of lines) {
      if (skip) skip = false;
      else if (line !== "") judge(line) ? valid++ : invalid++;
    }
    at += n;
    if (n === 0) break;
    if (at >= end) { // finish the line that crosses the end
      const rest = Buffer.allocUnsafe(1 << 16);
      const m = readSync(fd, rest, 0, rest.length, at);
      const nl = rest.subarray(0, m).indexOf(10);
      const line = carry + rest.toString("utf8", 0, nl < 0 ? m : nl);
      if (line !== "") judge(line) ? valid++ : invalid++;
      break;
    }
  }
  closeSync(fd);
  return { valid, invalid };
}

const [file, count] = isMainThread ? process.argv.slice(2) : [];
if (!isMainThread) {
  parentPort.postMessage(judgeRange(workerData.file, workerData.begin, workerData.end));
} else if (count) {
  const size = statSync(file).size, n = Number(count);
  // Ranges are multiples of the buffer, so that each worker reads only its own.
  const step = Math.ceil(size / n / (1 << 20)) * (1 << 20);
  const results = await Promise.all(Array.from({ length: n }, (_, i) => new Promise((resolve, reject) => {
    const w = new Worker(fileURLToPath(import.meta.url), { workerData: { file, begin: i * step, end: Math.min((i + 1) * step, size) } });
    w.on("message", resolve).on("error", reject);
  })));
  console.log(results.reduce((a, r) => ({ valid: a.valid + r.valid, invalid: a.invalid + r.invalid })));
} else {
  let valid = 0, invalid = 0;
  for await (const line of createInterface({ input: createReadStream(file, { highWaterMark: 1 << 20 }), crlfDelay: Infinity })) {
    if (line !== "") judge(line) ? valid++ : invalid++;
  }
  console.log({ valid, invalid });
}
