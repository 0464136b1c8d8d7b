// The scene in the form: what people chose, and what words put over it until they are taken back.

import { $, element, holding, offer } from "./dom.js";
import { pretty } from "./wording.js";

export const NEW_SHOPPER = "new";
const TYPING_PAUSE_MS = 250;
const DAY_MS = 86_400_000;
const USUAL_TIME = "17:30";
const WEEK = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"];
const WEATHER = ["sun", "warm", "hot", "humid", "cloud", "fog", "wind", "rain", "storm", "cold", "snow"];
const COMPANY = ["alone", "2 people", "friends", "family", "children"];

export const fields = Object.fromEntries(
  ["shopper", "date", "time", "place", "occasion", "weather", "companions", "wish"].map((name) => [name, $(name)]),
);
const CHOICES = { place: fields.place, occasion: fields.occasion, weather: fields.weather, companions: fields.companions };
let beneath = new Map(); // what stood in the form where words stand now
let extras = {}; // what words said and the form has no field for

// Civil dates without a zone, so that arithmetic never meets daylight saving.
export const civil = (text) => new Date(`${text}Z`);
export const moment = () => `${fields.date.value}T${fields.time.value}`;
export const isComplete = () => Boolean(fields.date.value && fields.time.value);
const weekdayOf = (date) => (civil(`${date}T00:00`).getUTCDay() + 6) % 7;

/** The scene of a request, without its photo. */
export function scene() {
  const given = { query: fields.wish.value.trim() };
  for (const [name, select] of Object.entries(CHOICES)) given[name] = select.value;
  const known = Object.entries(given).filter(([, value]) => value !== "");
  return { time: moment(), ...Object.fromEntries(known), ...extras };
}

/** The scene's bounds of a price, as conditions that every answer must meet. */
export function bounds() {
  const { price_min: low, price_max: high } = extras;
  if (low === undefined && high === undefined) return null;
  return { min_price: low ?? null, max_price: high ?? null };
}

export function headline() {
  const who = fields.shopper.value === NEW_SHOPPER ? "someone new" : pretty(fields.shopper.value);
  const day = civil(moment()).toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", timeZone: "UTC" });
  const where = fields.place.value ? ` at ${pretty(fields.place.value)}` : "";
  const what = fields.occasion.value ? `, ${fields.occasion.value}` : "";
  return `For ${who}, ${day}, ${fields.time.value}${where}${what}`;
}

// ---------------------------------------------------------------- what words put over the form

const FORM = {
  time: {
    get: moment,
    set: (value) => ([fields.date.value, fields.time.value] = value.slice(0, 16).split("T")),
  },
  query: { get: () => fields.wish.value, set: (value) => (fields.wish.value = value) },
};
for (const [name, select] of Object.entries(CHOICES)) {
  FORM[name] = { get: () => select.value, set: (value) => choose(select, value) };
}

function choose(select, value) {
  if (![...select.options].some((option) => option.value === value)) offer(select, [value], pretty);
  select.value = value;
}

/** Put what words said over the form; what they said before is lifted first. */
export function overlay(said) {
  for (const [name, value] of beneath) FORM[name].set(value);
  beneath = new Map();
  extras = {};
  for (const [name, value] of Object.entries(said)) {
    if (!FORM[name]) extras[name] = value;
    else {
      beneath.set(name, FORM[name].get());
      FORM[name].set(value);
    }
  }
}

/** Which field of a scene a control of the form is for, if words stand in it. */
export function saidBy(control) {
  const own = { date: "time", time: "time", wish: "query" };
  const name = $("days").contains(control) ? "time" : (own[control.id] ?? control.id);
  return beneath.has(name) ? name : null;
}

/** A field was changed by hand: it stays as it is when the words go. */
export const keep = (name) => beneath.delete(name);

// ---------------------------------------------------------------- the address

export function remember(sentence) {
  const state = new URLSearchParams();
  const [date, time] = (beneath.get("time") ?? moment()).split("T");
  const under = { date, time, wish: beneath.get("query") };
  for (const [name, field] of Object.entries(fields)) {
    const value = under[name] ?? beneath.get(name) ?? field.value;
    if (value) state.set(name, value);
  }
  if ($("new-only").checked) state.set("new", "1");
  if (sentence) state.set("say", sentence);
  history.replaceState(null, "", `?${state}${location.hash}`);
}

export function recall() {
  const state = new URLSearchParams(location.search);
  for (const [name, field] of Object.entries(fields)) {
    const options = field.options && [...field.options].map((option) => option.value);
    const value = state.get(name);
    if (value !== null && (!options || options.includes(value))) field.value = value;
  }
  $("new-only").checked = state.has("new");
  return state.get("say") ?? "";
}

// ---------------------------------------------------------------- setting up

export function setUp(options, people) {
  offer(fields.shopper, people.map((person) => person.user_id), pretty);
  fields.shopper.append(new Option("Someone new", NEW_SHOPPER));
  offer(fields.place, options.places, pretty);
  offer(fields.occasion, options.occasions);
  offer(fields.weather, WEATHER);
  offer(fields.companions, COMPANY);
  fields.date.value = options.as_of.slice(0, 10);
  fields.time.value = USUAL_TIME;
  drawDays();
}

function drawDays() {
  for (const [at, name] of WEEK.entries()) {
    const radio = Object.assign(document.createElement("input"), { type: "radio", name: "day", value: at });
    radio.setAttribute("aria-label", name);
    $("days").append(holding("label", "", radio, element("span", "", name.slice(0, 3))));
  }
}

export function drawDay() {
  const today = weekdayOf(fields.date.value);
  for (const radio of $("days").querySelectorAll("input")) radio.checked = Number(radio.value) === today;
}

/** Tell of every change that a shopper makes in the form itself. */
export function listen(changed) {
  let pause;
  fields.wish.addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(() => changed(fields.wish), TYPING_PAUSE_MS);
  });
  $("days").addEventListener("change", (event) => {
    const days = Number(event.target.value) - weekdayOf(fields.date.value);
    const moved = new Date(civil(`${fields.date.value}T00:00`).getTime() + days * DAY_MS);
    fields.date.value = moved.toISOString().slice(0, 10);
  });
  $("scene").addEventListener("change", (event) => {
    const elsewhere = event.target === fields.wish || event.target.id === "say" || event.target.type === "file";
    if (!elsewhere) changed(event.target);
  });
  // On a phone the list comes first: what is seldom changed is folded.
  $("unfold").addEventListener("click", () => {
    const all = $("scene").classList.toggle("all");
    $("unfold").ariaExpanded = String(all);
    $("unfold").textContent = all ? "Less of the scene" : "More of the scene";
  });
  $("scene").addEventListener("submit", (event) => {
    event.preventDefault();
    changed(fields.wish);
  });
}
