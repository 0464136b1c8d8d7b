// The drawer: what is like an item, and what goes with it.

import * as api from "./api.js";
import { $ } from "./dom.js";
import { drawList } from "./list.js";

const SIZE = 12;
const ASK = { like: api.similar, goes: api.complements };
const NOTHING = { like: "Nothing else in the shop is like it.", goes: "Nothing is known yet of what goes with it." };

const drawer = $("drawer");
const list = $("drawer-list");
let opener = null;
let shown = null;
let asked = new AbortController();

/** Open the drawer on a slot; `cardActions` are those of the cards in it. */
export function showNear(slot, what, cardActions) {
  if (!drawer.open) {
    opener = document.activeElement;
    drawer.showModal();
  }
  shown = { slot, actions: cardActions };
  list.replaceChildren();
  $("drawer-title").textContent = slot.item.title;
  $("drawer-kicker").textContent = [slot.item.brand, slot.item.categories.at(-1)].filter(Boolean).join(" · ");
  $("drawer-title").focus();
  return fill(what);
}

async function fill(what) {
  for (const choice of drawer.querySelectorAll("[data-shows]")) choice.ariaPressed = String(choice.dataset.shows === what);
  asked.abort();
  asked = new AbortController();
  $("drawer-status").textContent = "One moment";
  try {
    const answer = await ASK[what](shown.slot.item.item_id, SIZE, asked.signal);
    list.replaceChildren();
    drawList(list, answer.items, shown.actions);
    drawer.scrollTop = 0;
    $("drawer-status").textContent = answer.items.length ? `${answer.items.length} products.` : NOTHING[what];
    list.dataset.shows = what;
  } catch (error) {
    if (error.name === "AbortError") return;
    if (!(error instanceof api.Fault)) throw error;
    $("drawer-status").textContent = error.message;
  }
}

export function setUp() {
  for (const choice of drawer.querySelectorAll("[data-shows]")) choice.addEventListener("click", () => fill(choice.dataset.shows));
  drawer.querySelector(".close").addEventListener("click", () => drawer.close());
  drawer.addEventListener("click", (event) => event.target === drawer && drawer.close());
  drawer.addEventListener("close", () => {
    asked.abort();
    list.replaceChildren();
    delete list.dataset.shows;
    // The card may have left the list in the meantime.
    (opener?.isConnected ? opener : $("list")).focus({ preventScroll: true });
  });
}
