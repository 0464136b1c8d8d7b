// Rates, latencies, channels, caches, memory and drift, from what Prometheus reads.

import * as api from "./api.js";
import { drawn, element, holding } from "./dom.js";
import { labelsOf, parse, quantile, rate, samples, total } from "./metrics.js";
import { bar, table } from "./table.js";
import { count, duration, number, percent, words } from "./wording.js";

export const TITLE = "Traffic";
export const NAME = "traffic";
export const EVERY_MS = 3_000;

const KEPT = 60;
const STEADY_PSI = 0.1;
const MOVED_PSI = 0.25;
const [REQUESTS, SECONDS, STAGES] = ["vitrine_requests_total", "vitrine_request_seconds", "vitrine_stage_seconds"];

export function start(body) {
  const readings = [];
  return async () => {
    const metrics = parse(await api.metrics());
    const before = readings.at(-1);
    const now = { metrics, at: performance.now() };
    now.perSecond = rate(now, before, REQUESTS, isCall);
    readings.push(now);
    if (readings.length > KEPT) readings.shift();
    const tables = [endpoints(now, before), stages(metrics), channels(metrics), caches(metrics), memory(metrics), ...drift(metrics)];
    body.replaceChildren(pulse(readings), ...tables.filter(Boolean));
  };
}

const isCall = ({ endpoint }) => endpoint.includes("/v1/");

function pulse(readings) {
  const rates = readings.map((one) => one.perSecond).filter((value) => value !== null);
  const last = rates.at(-1);
  const told = last === undefined ? "Counting" : `${last.toFixed(1)} calls per second`;
  const svg = drawn("svg", { viewBox: "0 0 240 40", class: "pulse", "aria-hidden": "true", preserveAspectRatio: "none" });
  const most = Math.max(...rates, 1);
  const points = rates.map((value, at) => `${(at / (KEPT - 1)) * 240},${38 - (value / most) * 34}`);
  svg.append(drawn("polyline", { points: points.join(" "), "vector-effect": "non-scaling-stroke" }));
  return holding("div", "now", element("p", "figure", told), svg);
}

function endpoints(now, before) {
  const { metrics } = now;
  const rows = labelsOf(metrics, REQUESTS, "endpoint")
    .filter((endpoint) => isCall({ endpoint }))
    .map((endpoint) => {
      const of = (labels) => labels.endpoint === endpoint;
      const failed = total(metrics, REQUESTS, (labels) => of(labels) && labels.status >= "500");
      const perSecond = rate(now, before, REQUESTS, of);
      return {
        all: total(metrics, REQUESTS, of),
        cells: [endpoint, perSecond?.toFixed(1), failed ? count(failed) : "none", middle(metrics, SECONDS, 0.5, of), middle(metrics, SECONDS, 0.99, of)],
      };
    })
    .sort((a, b) => b.all - a.all)
    .map(({ all, cells: [endpoint, ...rest] }) => [endpoint.replace(":path", ""), count(all), ...rest]);
  return table("Calls", ["Endpoint", "Calls", "Per second", "Failed", "Median", "99th percentile"], rows);
}

function middle(metrics, name, share, of) {
  const found = quantile(metrics, name, share, of);
  return found === Infinity ? "over 10 s" : duration(found);
}

function stages(metrics) {
  const counted = samples(metrics, `${STAGES}_count`).filter(({ value }) => value > 0);
  const rows = counted
    .sort((a, b) => b.value - a.value)
    .slice(0, 12)
    .map(({ labels: { call, stage } }) => {
      const of = (labels) => labels.call === call && labels.stage === stage;
      return [`${call}, ${stage}`, middle(metrics, STAGES, 0.5, of), middle(metrics, STAGES, 0.99, of)];
    });
  return rows.length ? table("Where the time goes", ["Call and stage", "Median", "99th percentile"], rows) : null;
}

function channels(metrics) {
  const found = samples(metrics, "vitrine_slots_total").sort((a, b) => b.value - a.value);
  const all = found.reduce((sum, { value }) => sum + value, 0);
  if (!all) return null;
  const rows = found.map(({ labels, value }) => [words(labels.channel), bar(value / all, percent(value / all))]);
  return table("Which channel proposed what was shown", ["Channel", "Share"], rows);
}

function caches(metrics) {
  const rows = labelsOf(metrics, "vitrine_cache_lookups_total", "cache").map((cache) => {
    const of = (outcome) => total(metrics, "vitrine_cache_lookups_total", (labels) => labels.cache === cache && labels.outcome === outcome);
    const hits = of("hit") / (of("hit") + of("miss"));
    return [words(cache), bar(hits, percent(hits))];
  });
  return rows.length ? table("Caches", ["Cache", "Hits"], rows) : null;
}

function memory(metrics) {
  const rows = samples(metrics, "vitrine_process_resident_bytes").map(({ labels, value }) => [labels.process, `${count(value / 1e6)} MB`]);
  return rows.length ? table("Memory", ["Process", "Resident"], rows) : null;
}

function drift(metrics) {
  const shifts = samples(metrics, "vitrine_drift_psi").sort((a, b) => b.value - a.value);
  const rates = samples(metrics, "vitrine_hit_rate").map(({ labels, value }) => [words(labels.window), percent(value)]);
  if (!shifts.length && !rates.length) {
    return [element("p", "hint", "No look at drift yet: run vitrine drift.")];
  }
  const rows = shifts.slice(0, 12).map(({ labels, value }) => [words(labels.what), bar(value, `${number(value)}, ${verdict(value)}`, verdict(value))]);
  return [
    table("Drift against training", ["What", "Stability index"], rows),
    rates.length ? table("Lists that led to an event", ["Window", "Share"], rates) : null,
  ];
}

const verdict = (psi) => (psi < STEADY_PSI ? "steady" : psi < MOVED_PSI ? "watch" : "train again");
