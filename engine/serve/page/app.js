// The page: choose a shopper and a scene, and watch the list follow.

import * as api from "./api.js";
import * as assistant from "./assistant.js";
import { $, element } from "./dom.js";
import * as key from "./key.js";
import { drawList } from "./list.js";
import * as near from "./near.js";
import { photoField } from "./photo.js";
import * as form from "./scene.js";
import * as search from "./search.js";
import * as sentence from "./sentence.js";

const LIST_SIZE = 12;
const baskets = new Map();
let summaries = new Map();
let visitor = newVisitor();
let photo = null;
let asked = new AbortController();
let lastRequestId = null;
let wasSearch = false;

function newVisitor() {
  return `visitor-${Array.from(crypto.getRandomValues(new Uint32Array(2)), (n) => n.toString(36)).join("")}`;
}

const userId = () => (form.fields.shopper.value === form.NEW_SHOPPER ? visitor : form.fields.shopper.value);
const scene = () => (photo ? { ...form.scene(), image: photo } : form.scene());

// ---------------------------------------------------------------- asking and drawing

async function refresh({ announce = "" } = {}) {
  if (!form.isComplete()) return;
  form.remember(sentence.sentence());
  drawForm();
  asked.abort();
  asked = new AbortController();
  $("list").setAttribute("aria-busy", "true");
  const started = performance.now();
  const sought = search.sought();
  try {
    const answer = await ask(sought, asked.signal);
    drawAnswer(answer, sought, performance.now() - started, announce);
  } catch (error) {
    if (error.name !== "AbortError") showFault(error);
  }
}

function ask(sought, signal) {
  const who = { user_id: userId(), scene: scene(), k: LIST_SIZE, filters: form.bounds() };
  if (sought) return api.search({ ...who, ...sought }, signal);
  return api.recommend({ ...who, new_only: $("new-only").checked }, signal);
}

function drawAnswer(answer, sought, elapsed, announce) {
  lastRequestId = sought ? null : answer.request_id;
  $("fault").hidden = true;
  $("headline").textContent = sought ? `Found for ${search.soughtInWords()}` : form.headline();
  $("latency").textContent = `${elapsed.toFixed(0)} ms, engine ${answer.took_ms.toFixed(1)} ms`;
  // Another question: what it moves says nothing.
  if (Boolean(sought) !== wasSearch) $("list").replaceChildren();
  wasSearch = Boolean(sought);
  const moves = drawList($("list"), answer.items, actions);
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
  if (error.wantsKey) key.askForKey();
  tellFault(error.message);
}

function tellFault(message) {
  $("list").setAttribute("aria-busy", "false");
  $("fault").textContent = message;
  $("fault").hidden = false;
}

function drawForm() {
  const chosen = summaries.get(form.fields.shopper.value);
  $("shopper-hint").textContent = chosen
    ? `${chosen.summary}${chosen.summary ? ", " : ""}${chosen.events.toLocaleString("en")} events`
    : "No history at all: the scene alone decides.";
  form.drawDay();
  const basket = baskets.get(userId()) ?? [];
  $("basket").hidden = basket.length === 0;
  $("basket-items").replaceChildren(...basket.map((title) => element("li", "", title)));
}

// ---------------------------------------------------------------- what a shopper does

const actions = {
  add: (item, button) => act(item, "cart", button, `${item.title} is in the basket.`),
  dismiss: (item, button) => act(item, "dismiss", button, `${item.title} will not come back.`),
  near: (slot, what) => near.showNear(slot, what, actions),
  routes,
};

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
      timestamp: justBefore(form.moment()),
      place: form.fields.place.value || null,
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
const justBefore = (local) => new Date(form.civil(local).getTime() - 1000).toISOString().slice(0, 19);

/** Paths of the graph to an item; none where the server knows of none. */
async function routes(item) {
  try {
    const found = await api.explain({ user_id: userId(), item_id: item.item_id, scene: scene() });
    return found.paths ?? [];
  } catch (error) {
    if (error instanceof api.Fault && error.isAbsent) return [];
    showFault(error);
    return [];
  }
}

// ---------------------------------------------------------------- setting up

async function changed(control) {
  if (control === form.fields.shopper && control.value === form.NEW_SHOPPER) visitor = newVisitor();
  const said = form.saidBy(control);
  if (said) {
    form.keep(said);
    await sentence.drop(said);
  }
  return refresh();
}

function listen() {
  form.listen((control) => changed(control).catch(showFault));
  search.setUp({ changed: refresh, failed: tellFault });
  near.setUp();
  photoField($("photo"), document, {
    changed: (image) => {
      photo = image;
      refresh();
    },
    failed: tellFault,
  });
}

async function offerAbilities(say) {
  const can = await api.abilities();
  if (can.has("POST /v1/chat")) assistant.setUp({ context: () => ({ user_id: userId(), scene: scene() }), actions });
  if (can.has("POST /v1/scene")) await sentence.setUp({ changed: refresh, failed: showFault }, say);
}

async function showView() {
  const isOperator = location.hash === "#operator";
  $("shop-view").hidden = isOperator;
  $("operator").hidden = !isOperator;
  $("to-shop").ariaCurrent = isOperator ? null : "page";
  $("to-operator").ariaCurrent = isOperator ? "page" : null;
  $("search").hidden = isOperator;
  const operator = await import("./operator.js");
  operator.show($("operator"), isOperator, { userId, scene: form.scene, showFault: operatorFault });
}

function operatorFault(error) {
  if (error instanceof api.Fault && error.wantsKey) key.askForKey();
}

async function start() {
  key.setUp();
  window.addEventListener("hashchange", () => showView().catch(showFault));
  const [options, people] = await Promise.all([api.sceneOptions(), api.shoppers()]);
  summaries = new Map(people.map((person) => [person.user_id, person]));
  form.setUp(options, people);
  $("shop").textContent = options.name;
  $("terms").textContent = options.terms;
  $("attribution").textContent = options.attribution;
  $("run").textContent = options.run_id;
  const say = form.recall();
  listen();
  const offered = offerAbilities(say);
  if (say) await offered; // the sentence is part of the first scene
  await refresh();
  await offered;
  if (location.hash === "#operator") await showView();
}

start().catch(showFault);
