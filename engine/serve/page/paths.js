// A path of the graph from the shopper to an item: nodes as pills, relations as labels between them.

import { drawn, element } from "./dom.js";
import { words } from "./wording.js";

const SHOWN = 2;
const WIDEST = 320;
const MARGINS = 32;
const PILL = 30;
const GAP = 34;
const CHAR_WIDTH = 6.6;
const EDGE = 1;
// As people say it: along the relation, and against it.
const SAID = {
  interacted: ["took", "taken by"],
  in_category: ["is one of", "as is"],
  subcategory_of: ["part of", "among them"],
  made_by: ["made by", "who make"],
  has_attribute: ["is", "as is"],
  bought_with: ["bought with", "bought with"],
  viewed_then_bought: ["seen, then bought", "bought after seeing"],
  looks_like: ["looks like", "looks like"],
  in_price_band: ["costs", "as does"],
  on_offer: ["on offer", "as is"],
  sells_in_season: ["sells in", "as does"],
  sells_in_day_part: ["sells in the", "as does"],
  sells_at: ["sold at", "where they sell"],
  shops_at: ["shops at", "where people took"],
};

export function drawRoutes(place, paths) {
  // That they took the item itself needs no picture, unless there is no other way.
  const ways = paths.filter(({ steps }) => steps.length > 1);
  const best = (ways.length ? ways : paths).slice(0, SHOWN);
  place.hidden = best.length === 0;
  if (!best.length) return place.replaceChildren();
  const width = Math.min(WIDEST, Math.max(120, place.clientWidth - MARGINS));
  place.replaceChildren(element("h3", "", "In the graph"), ...best.map((path) => picture(path, width)));
}

const said = ({ relation, forward }) => SAID[relation]?.[forward ? 0 : 1] ?? words(relation);
const short = (name, chars) => (name.length > chars ? `${name.slice(0, chars - 1).trimEnd()}…` : name);
// A category has the names of all above it: the last says what it is.
const named = (step) => (step.node_type === "category" ? step.name.split(" > ").at(-1) : step.name);

function picture({ steps }, width) {
  const nodes = [{ name: "You", type: "user" }, ...steps.map((step) => ({ name: named(step), type: step.node_type }))];
  const height = nodes.length * PILL + steps.length * GAP + 2 * EDGE;
  const alternative = steps.map((step) => `${said(step)} ${named(step)}`).join(", ");
  const told = `You ${alternative}`;
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, class: "route", role: "img", "aria-label": told });
  steps.forEach((step, at) => svg.append(...edge(step, at, width / 2)));
  nodes.forEach((node, at) => svg.append(pill(node, at, width)));
  svg.style.maxWidth = `${width}px`;
  return svg;
}

function pill({ name, type }, at, width) {
  const y = EDGE + at * (PILL + GAP);
  const group = drawn("g", { class: "node", "data-type": type });
  group.append(
    drawn("rect", { x: EDGE, y, width: width - 2 * EDGE, height: PILL, rx: PILL / 2 }),
    drawn("text", { x: width / 2, y: y + PILL / 2, "text-anchor": "middle", "dominant-baseline": "central" }, short(name, Math.floor((width - PILL) / CHAR_WIDTH))),
    drawn("title", {}, `${words(type.split(":")[0])}: ${name}`),
  );
  return group;
}

function edge(step, at, x) {
  const from = EDGE + at * (PILL + GAP) + PILL;
  const label = { x: x + 12, y: from + GAP / 2, "dominant-baseline": "central", class: "relation" };
  return [
    drawn("path", { d: `M${x} ${from}v${GAP - 5}m-4 -5l4 5l4 -5`, class: "edge" }),
    drawn("text", label, said(step)),
  ];
}
