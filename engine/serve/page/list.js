// The list of cards: drawn by item id, so that a card which stays keeps its focus and its place
// in the eye, and slides from where it was to where it is.

import { $ } from "./dom.js";
import { drawRoutes } from "./paths.js";
import { proof } from "./proof.js";
import { number, price } from "./wording.js";

const SLIDE_MS = 340;
const template = $("card");

export function drawList(list, slots, actions) {
  const before = new Map([...list.children].map((card) => [card.dataset.item, card]));
  const boxes = new Map([...before].map(([id, card]) => [id, card.getBoundingClientRect()]));
  const held = focusedCard(list);
  const moves = { fresh: 0, risen: 0, fallen: 0, first: before.size === 0 };

  const cards = slots.map((slot) => {
    const card = before.get(slot.item.item_id) ?? newCard(slot, actions);
    markMove(card, slot, before.has(slot.item.item_id), moves);
    fill(card, slot);
    showRoutes(card, slot.item, actions);
    return card;
  });
  list.replaceChildren(...cards);
  restoreFocus(list, held);
  slide(cards, boxes, moves.first);
  return moves;
}

function newCard(slot, actions) {
  const card = template.content.firstElementChild.cloneNode(true);
  const { item } = slot;
  card.dataset.item = item.item_id;
  card.querySelector(".title").textContent = item.title;
  card.querySelector(".kicker").textContent = [item.brand, item.categories.at(-1)].filter(Boolean).join(" · ");
  card.querySelector(".price").textContent = price(item);
  drawPicture(card, slot);
  const add = card.querySelector(".add");
  add.setAttribute("aria-label", `Add ${item.title} to basket`);
  add.addEventListener("click", () => actions.add(item, add));
  const no = card.querySelector(".no");
  no.setAttribute("aria-label", `${item.title}: not for me`);
  no.addEventListener("click", () => actions.dismiss(item, no));
  for (const near of ["like", "goes"]) {
    const open = card.querySelector(`.${near}`);
    open.setAttribute("aria-label", `${open.textContent}: ${item.title}`);
    open.addEventListener("click", () => actions.near(slot, near));
  }
  card.querySelector(".why").addEventListener("toggle", () => showRoutes(card, item, actions));
  return card;
}

function drawPicture(card, { item, picture }) {
  const image = card.querySelector("img");
  const letter = card.querySelector(".letter");
  const blank = () => {
    image.hidden = true;
    letter.hidden = false;
    letter.textContent = item.title.slice(0, 1).toUpperCase();
  };
  if (!picture) return blank();
  image.hidden = false;
  image.addEventListener("error", blank, { once: true });
  image.src = picture.replace(/^\//, "");
}

function fill(card, slot) {
  card.dataset.rank = slot.rank;
  for (const button of card.querySelectorAll("button")) button.ariaDisabled = null;
  card.querySelector(".reason").textContent = slot.reason;
  card.querySelector(".score").textContent = `score ${number(slot.score)}`;
  card.querySelector("summary").setAttribute("aria-label", `Why ${slot.item.title}, score ${number(slot.score)}`);
  card.querySelector(".proof").replaceChildren(...proof(slot));
}

// Asked for only where somebody looks: a path is a walk over the graph.
async function showRoutes(card, item, actions) {
  const place = card.querySelector(".routes");
  if (!card.querySelector(".why").open) return place.replaceChildren();
  drawRoutes(place, await actions.routes(item));
}

function markMove(card, slot, stayed, moves) {
  const badge = card.querySelector(".moved");
  const up = stayed ? Number(card.dataset.rank) - slot.rank : 0;
  if (!stayed) moves.fresh += 1;
  if (up > 0) moves.risen += 1;
  if (up < 0) moves.fallen += 1;
  const text = moves.first ? "" : !stayed ? "new" : up > 0 ? `up ${up}` : up < 0 ? `down ${-up}` : "";
  badge.hidden = text === "";
  badge.textContent = text;
  badge.dataset.way = !stayed ? "new" : up > 0 ? "up" : "down";
}

function slide(cards, boxes, first) {
  if (first || matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const timing = { duration: SLIDE_MS, easing: "cubic-bezier(.2, .7, .2, 1)" };
  const now = cards.map((card) => card.getBoundingClientRect());
  cards.forEach((card, at) => {
    const was = boxes.get(card.dataset.item);
    if (!was) return card.animate([{ opacity: 0, transform: "scale(.97)" }, { opacity: 1, transform: "none" }], timing);
    const [dx, dy] = [was.left - now[at].left, was.top - now[at].top];
    if (dx || dy) card.animate([{ transform: `translate(${dx}px, ${dy}px)` }, { transform: "none" }], timing);
  });
}

function focusedCard(list) {
  const card = document.activeElement?.closest?.(".card");
  if (!card || !list.contains(card)) return null;
  return { element: document.activeElement, at: [...list.children].indexOf(card) };
}

// A card that left took the focus with it: the one in its place gets it.
function restoreFocus(list, held) {
  if (!held) return;
  const heir = list.contains(held.element) ? held.element : list.children[held.at]?.querySelector(".add");
  (heir ?? list).focus({ preventScroll: true });
}
