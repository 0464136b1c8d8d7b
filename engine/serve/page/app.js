// The page: choose a shopper and a scene, and watch the list follow.

import * as api from "./api.js";
import { drawList } from "./list.js";

const $ = (id) => document.getElementById(id);
const NEW_SHOPPER = "new";
const TYPING_PAUSE_MS = 250;
const LIST_SIZE = 12;
const WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const DAY_MS = 86_400_000;

const fields = { shopper: $("shopper"), date: $("date"), time: $("time"), place: $("place"), occasion: $("occasion"), wish: $("wish") };
const baskets = new Map();
let summaries = new Map();
let visitor = newVisitor();
let asked = new AbortController();
let lastRequestId = null;

// ---------------------------------------------------------------- the scene in the form

function newVisitor() {
  return `visitor-${Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("")}`;
}

const userId = () => (fields.shopper.value === NEW_SHOPPER ? visitor : fields.shopper.value);
const moment = () => `${fields.date.value}T${fields.time.value}`;
// Civil dates without a zone, so that arithmetic never meets daylight saving.
const civil = (text) => new Date(`${text}Z`);
const weekdayOf = (date) => (civil(`${date}T00:00`).getUTCDay() + 6) % 7;

function scene() {
  const { place, occasion, wish } = fields;
  const given = { place: place.value, occasion: occasion.value, query: wish.value.trim() };
  const known = Object.entries(given).filter(([, value]) => value !== "");
  return { time: moment(), ...Object.fromEntries(known) };
}

function headline() {
  const who = fields.shopper.value === NEW_SHOPPER ? "someone new" : pretty(fields.shopper.value);
  const when = civil(moment());
  const day = when.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });
  const where = fields.place.value ? ` at ${pretty(fields.place.value)}` : "";
  const what = fields.occasion.value ? `, ${fields.occasion.value}` : "";
  return `For ${who}, ${day}, ${fields.time.value}${where}${what}`;
}

const pretty = (id) => id.replaceAll("-", " ");

function remember() {
  const state = new URLSearchParams();
  for (const [name, field] of Object.entries(fields)) if (field.value) state.set(name, field.value);
  if ($("new-only").checked) state.set("new", "1");
  history.replaceState(null, "", `?${state}`);
}

function recall() {
  const state = new URLSearchParams(location.search);
  for (const [name, field] of Object.entries(fields)) {
    const options = field.options && [...field.options].map((option) => option.value);
    const value = state.get(name);
    if (value !== null && (!options || options.includes(value))) field.value = value;
  }
  $("new-only").checked = state.has("new");
}

// ---------------------------------------------------------------- asking and drawing

async function refresh({ announce = "" } = {}) {
  if (!fields.date.value || !fields.time.value) return;
  remember();
  drawForm();
  asked.abort();
  asked = new AbortController();
  $("list").setAttribute("aria-busy", "true");
  const started = performance.now();
  try {
    const request = { user_id: userId(), scene: scene(), k: LIST_SIZE, new_only: $("new-only").checked };
    const answer = await api.recommend(request, asked.signal);
    const elapsed = performance.now() - started;
    drawAnswer(answer, elapsed, announce);
  } catch (error) {
    if (error.name !== "AbortError") showFault(error);
  }
}

function drawAnswer(answer, elapsed, announce) {
  lastRequestId = answer.request_id;
  $("fault").hidden = true;
  $("headline").textContent = headline();
  $("latency").textContent = `${elapsed.toFixed(0)} ms, engine ${answer.took_ms.toFixed(1)} ms`;
  const moves = drawList($("list"), answer.items, { add, dismiss });
  $("list").setAttribute("aria-busy", "false");
  $("list").dataset.request = answer.request_id;
  $("empty").hidden = answer.items.length > 0;
  $("status").textContent = [announce, tell(moves, answer.items.length)].filter(Boolean).join(" ");
}

function tell(moves, count) {
  if (moves.first) return `${count} products.`;
  const parts = [
    [moves.fresh, "new"],
    [moves.risen, "moved up"],
    [moves.fallen, "moved down"],
  ].filter(([n]) => n > 0);
  return parts.length ? `${parts.map(([n, what]) => `${n} ${what}`).join(", ")}.` : "The list stays as it is.";
}

function showFault(error) {
  if (!(error instanceof api.Fault)) throw error;
  $("list").setAttribute("aria-busy", "false");
  $("fault").textContent = error.message;
  $("fault").hidden = false;
}

function drawForm() {
  const chosen = summaries.get(fields.shopper.value);
  $("shopper-hint").textContent = chosen
    ? `${chosen.summary}${chosen.summary ? ", " : ""}${chosen.events.toLocaleString("en")} events`
    : "No history at all: the scene alone decides.";
  const today = weekdayOf(fields.date.value);
  for (const radio of $("days").querySelectorAll("input")) radio.checked = Number(radio.value) === today;
  const basket = baskets.get(userId()) ?? [];
  $("basket").hidden = basket.length === 0;
  $("basket-items").replaceChildren(...basket.map((title) => Object.assign(document.createElement("li"), { textContent: title })));
}

// ---------------------------------------------------------------- what a shopper does

const add = (item, button) => act(item, "cart", button, `${item.title} is in the basket.`);
const dismiss = (item, button) => act(item, "dismiss", button, `${item.title} will not come back.`);

async function act(item, kind, button, announce) {
  // Not `disabled`: that would drop the focus of whoever works with the keyboard.
  if (button.ariaDisabled === "true") return;
  button.ariaDisabled = "true";
  const shopper = userId();
  try {
    await api.observe({
      event_id: crypto.randomUUID?.() ?? newVisitor(),
      user_id: shopper,
      item_id: item.item_id,
      kind,
      timestamp: justBefore(moment()),
      place: fields.place.value || null,
      request_id: lastRequestId,
    });
  } catch (error) {
    button.ariaDisabled = null;
    return showFault(error);
  }
  if (kind === "cart") baskets.set(shopper, [...(baskets.get(shopper) ?? []), item.title]);
  return refresh({ announce });
}

// A list is made of what happened before its moment.
const justBefore = (local) => new Date(civil(local).getTime() - 1000).toISOString().slice(0, 19);

// ---------------------------------------------------------------- setting up

function offer(select, values, label = (value) => value) {
  select.append(...values.map((value) => new Option(label(value), value)));
}

function drawDays() {
  for (const [at, name] of WEEK.entries()) {
    const label = document.createElement("label");
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "day", value: at });
    radio.setAttribute("aria-label", name);
    label.append(radio, Object.assign(document.createElement("span"), { textContent: name.slice(0, 3) }));
    $("days").append(label);
  }
}

function listen() {
  let pause;
  fields.wish.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(refresh, TYPING_PAUSE_MS);
  });
  fields.shopper.addEventListener("change", () => {
    if (fields.shopper.value === NEW_SHOPPER) visitor = newVisitor();
  });
  $("days").addEventListener("change", (event) => {
    const days = Number(event.target.value) - weekdayOf(fields.date.value);
    const moved = new Date(civil(`${fields.date.value}T00:00`).getTime() + days * DAY_MS);
    fields.date.value = moved.toISOString().slice(0, 10);
  });
  $("scene").addEventListener("change", (event) => {
    if (event.target !== fields.wish) refresh();
  });
  $("scene").addEventListener("submit", (event) => {
    event.preventDefault();
    refresh();
  });
}

async function start() {
  drawDays();
  const [options, people] = await Promise.all([api.sceneOptions(), api.shoppers()]);
  summaries = new Map(people.map((person) => [person.user_id, person]));
  offer(fields.shopper, people.map((person) => person.user_id), pretty);
  fields.shopper.append(new Option("Someone new", NEW_SHOPPER));
  offer(fields.place, options.places, pretty);
  offer(fields.occasion, options.occasions);
  fields.date.value = options.as_of.slice(0, 10);
  fields.time.value = "17:30";
  $("shop").textContent = options.name;
  $("terms").textContent = options.terms;
  $("attribution").textContent = options.attribution;
  $("run").textContent = options.run_id;
  recall();
  listen();
  await refresh();
}

start().catch(showFault);
