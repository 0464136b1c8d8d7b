// Numbers, prices and names, as people read them.

export const number = (value) => value.toLocaleString("en", { minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
export const percent = (value) => value.toLocaleString("en", { style: "percent", maximumFractionDigits: 1 });
export const count = (value) => value.toLocaleString("en", { maximumFractionDigits: 0 });
export const words = (name) => name.replaceAll("_", " ");
export const pretty = (id) => id.replaceAll("-", " ");

export function price({ price, currency }) {
  if (price === null) return "";
  if (!currency) return price.toFixed(2);
  return new Intl.NumberFormat("en", { style: "currency", currency }).format(price);
}

export function duration(seconds) {
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 1) return `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms`;
  if (seconds < 120) return `${seconds.toFixed(1)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  return `${Math.round(seconds / 3600)} h`;
}

export const moment = (unixSeconds) =>
  new Date(unixSeconds * 1000).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
