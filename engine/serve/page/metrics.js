// What Prometheus reads, read here: samples, and what can be told of them.

const SAMPLE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})?\s+(\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;
const ESCAPED = { "\\n": "\n", '\\"': '"', "\\\\": "\\" };

/** Samples by name: {labels, value} each. */
export function parse(text) {
  const found = new Map();
  for (const line of text.split("\n")) {
    const [, name, inside = "", value] = (line.startsWith("#") ? null : SAMPLE.exec(line)) ?? [];
    if (!name) continue;
    const labels = {};
    for (const [, key, quoted] of inside.matchAll(LABEL)) labels[key] = quoted.replace(/\\[n"\\]/g, (code) => ESCAPED[code]);
    if (!found.has(name)) found.set(name, []);
    found.get(name).push({ labels, value: number(value) });
  }
  return found;
}

const number = (text) => (text.endsWith("Inf") ? Infinity * (text.startsWith("-") ? -1 : 1) : Number(text));

export const samples = (metrics, name) => metrics.get(name) ?? [];
export const value = (metrics, name) => samples(metrics, name)[0]?.value ?? null;
export const total = (metrics, name, fits = () => true) =>
  samples(metrics, name).filter(({ labels }) => fits(labels)).reduce((sum, sample) => sum + sample.value, 0);
export const labelsOf = (metrics, name, label) => [...new Set(samples(metrics, name).map(({ labels }) => labels[label]))];

/** A quantile of a histogram, straight between the bounds of its bucket; NaN of none, Infinity beyond the last bound. */
export function quantile(metrics, name, share, fits) {
  const buckets = samples(metrics, `${name}_bucket`)
    .filter(({ labels }) => fits(labels))
    .map(({ labels, value }) => [number(labels.le.replace(/^\+/, "")), value])
    .sort(([a], [b]) => a - b);
  const all = buckets.at(-1)?.[1] ?? 0;
  if (all === 0) return NaN;
  const at = buckets.findIndex(([, below]) => below >= share * all);
  const [bound, below] = buckets[at];
  const [lower, before] = at > 0 ? buckets[at - 1] : [0, 0];
  if (!Number.isFinite(bound)) return Infinity;
  return lower + ((bound - lower) * (share * all - before)) / (below - before);
}

/** What was added between two readings, per second; null where there is nothing to compare with. */
export function rate(now, before, name, fits) {
  if (!before) return null;
  const added = total(now.metrics, name, fits) - total(before.metrics, name, fits);
  // A server that began anew counts from zero.
  return Math.max(0, added) / ((now.at - before.at) / 1000);
}
