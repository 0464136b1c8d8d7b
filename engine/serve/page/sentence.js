// The sentence that becomes a scene: each stretch of it a chip that can be taken away.

import * as api from "./api.js";
import { $, button, element, holding } from "./dom.js";
import { civil, moment, overlay } from "./scene.js";
import { words } from "./wording.js";

const TYPING_PAUSE_MS = 500;
// A chip stands for these fields too.
const TOGETHER = { price_min: ["price_max", "currency"], price_max: ["price_min", "currency"], recipient: ["recipient_age"] };
const LABELS = { price_min: "price", price_max: "price", query: "looking for", companions: "company", recipient: "for" };

const DAY = /^\d{4}-\d\d-\d\d$/;
const SHORT_DAY = { weekday: "short", day: "numeric", month: "short", timeZone: "UTC" };

const box = $("say");
let spans = [];
let asked = new AbortController();
let tell = { changed: () => {}, failed: () => {} };

export const sentence = () => box.value.trim();

export function setUp(listeners, text) {
  tell = listeners;
  $("say-field").hidden = false;
  let pause;
  box.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => read().catch(tell.failed), TYPING_PAUSE_MS);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    clearTimeout(pause);
    read().catch(tell.failed);
  });
  box.value = text;
  return text ? read({ quietly: true }) : null;
}

async function read({ quietly = false } = {}) {
  asked.abort();
  asked = new AbortController();
  overlay({}); // the words are read against what stood in the form before them
  const now = moment();
  const text = sentence();
  const found = text ? await answer(text, now) : { scene: {}, spans: [] };
  if (!found) return;
  spans = found.spans.filter((span) => span.field !== "unread");
  overlay(saidIn(found.scene, now));
  draw();
  if (!quietly) tell.changed();
}

async function answer(text, now) {
  try {
    return await api.readScene({ text, headers: {}, time: now }, asked.signal);
  } catch (error) {
    if (error.name === "AbortError") return null;
    throw error;
  }
}

// Of the scene, only what the words said: the rest is the server's own setting.
function saidIn(scene, now) {
  const named = new Set(spans.flatMap((span) => [span.field, ...(TOGETHER[span.field] ?? [])]));
  const meant = ([name, value]) => {
    if (value === null) return false;
    if (name === "time") return value.slice(0, 16) !== now;
    if (name === "attributes") return Object.keys(value).length > 0;
    return named.has(name);
  };
  return Object.fromEntries(Object.entries(scene).filter(meant));
}

function draw() {
  const chips = spans.map((span, at) => {
    const what = DAY.test(span.value) ? "day" : (LABELS[span.field] ?? words(span.field));
    const chip = holding("li", "chip", element("b", "", what), element("span", "", told(span)));
    chip.dataset.field = span.field;
    const away = button("×", () => take(at));
    away.setAttribute("aria-label", `Take away: ${what} ${told(span)}`);
    chip.title = `“${span.text}”`;
    chip.append(away);
    return chip;
  });
  $("chips").replaceChildren(...chips);
}

function told({ field, value }) {
  const until = (text) => text.replace(/^–/, "up to ").replace(/^(.+)–(?= |$)/, "from $1");
  if (field.startsWith("price")) return until(value);
  if (DAY.test(value)) return civil(`${value}T00:00`).toLocaleDateString("en-GB", SHORT_DAY);
  return value.replace("T", " ");
}

async function take(at) {
  box.value = without([spans[at]]);
  await read().catch(tell.failed);
  const heirs = $("chips").querySelectorAll("button");
  (heirs[Math.min(at, heirs.length - 1)] ?? box).focus();
}

function without(gone) {
  const text = gone.reduceRight((left, { start, end }) => `${left.slice(0, start)},${left.slice(end)}`, sentence());
  return text.replace(/\s*(,\s*)+/g, ", ").replace(/^[\s,]+|[\s,]+$/g, "");
}

/** A field was changed by hand: the words that filled it go, its new value stays. */
export function drop(field) {
  box.value = without(spans.filter((span) => span.field === field));
  return read({ quietly: true });
}
