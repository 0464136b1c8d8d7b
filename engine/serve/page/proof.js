// Why a slot is where it is: evidence, and the numbers that made its score.

import { element } from "./dom.js";
import { number, percent, words } from "./wording.js";

export function proof(slot) {
  const heaviest = Math.max(...slot.evidence.map((e) => Math.abs(e.weight)), 1e-9);
  const evidence = element("ul", "evidence");
  for (const e of slot.evidence) {
    const meter = element("span", "weight");
    meter.style.setProperty("--share", Math.abs(e.weight) / heaviest);
    meter.title = `weight ${number(e.weight)}`;
    const line = element("li");
    line.append(meter, element("span", "", e.text));
    evidence.append(line);
  }
  return slot.evidence.length ? [evidence, scores(slot)] : [scores(slot)];
}

function scores(slot) {
  const list = element("dl", "scores");
  for (const hit of slot.trace.channels) pair(list, words(hit.channel), `rank ${hit.rank}, ${number(hit.score)}`);
  for (const [name, value] of Object.entries(slot.trace)) {
    if (typeof value === "number") pair(list, words(name), number(value));
  }
  if (slot.probability !== null) pair(list, "probability", percent(slot.probability));
  if (slot.trace.rules.length) pair(list, "rules", slot.trace.rules.map(words).join(", "));
  return list;
}

function pair(list, term, value) {
  list.append(element("dt", "", term), element("dd", "", value));
}
