// Readiness and workers.

import * as api from "./api.js";
import { element, holding } from "./dom.js";
import { table } from "./table.js";
import { count, duration } from "./wording.js";

export const TITLE = "Server";
export const NAME = "health";
export const EVERY_MS = 3_000;

export function start(body) {
  return async () => {
    const [well, isReady] = await Promise.all([api.health(), readiness()]);
    body.replaceChildren(pills(well, isReady), facts(well), workers(well.each ?? []));
  };
}

async function readiness() {
  try {
    return (await api.ready()).ready;
  } catch (error) {
    if (error instanceof api.Fault && error.status === 503) return false;
    throw error;
  }
}

function pills(well, isReady) {
  const line = holding(
    "p",
    "pills",
    pill(isReady ? "ready" : "not ready", isReady ? "good" : "bad"),
    pill(well.status, well.status === "ok" ? "good" : "bad"),
    pill(`${well.workers_ready} of ${well.workers} workers`, well.workers_ready < well.workers ? "bad" : "good"),
  );
  if (well.draining) line.append(pill("draining", "bad"));
  return line;
}

function pill(text, level) {
  const made = element("span", "pill", text);
  made.dataset.level = level;
  return made;
}

function facts({ run_id, store, waiting, notice }) {
  const list = element("dl", "scores");
  const told = { run: run_id, store, "calls in the line": waiting, notice };
  for (const [name, value] of Object.entries(told)) {
    if (value !== undefined && value !== "") list.append(element("dt", "", name), element("dd", "", String(value)));
  }
  return list;
}

function workers(each) {
  const now = Date.now() / 1000;
  const rows = each.map((one) => [
    `worker ${one.worker}`,
    String(one.pid),
    one.run_id,
    duration(now - one.since_unix_s),
    count(one.answered),
    one.busy_s ? duration(one.busy_s) : "free",
  ]);
  return table("Workers", ["Worker", "Process", "Run", "Ready for", "Answered", "Busy for"], rows);
}
