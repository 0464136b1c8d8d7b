// Tables of the operator's view.

import { element, holding } from "./dom.js";

/** A table with a caption; a cell is a text or an element, and numbers stand to the right. */
export function table(caption, heads, rows) {
  const head = holding("tr", "", ...heads.map((name) => scoped(element("th", "", name), "col")));
  const body = rows.map((cells) => holding("tr", "", ...cells.map((cell, at) => drawCell(cell, at))));
  const made = holding("table", "", element("caption", "", caption), holding("thead", "", head), holding("tbody", "", ...body));
  const scroller = holding("div", "scroller", made);
  scroller.tabIndex = 0; // wide ones are scrolled with the keyboard too
  scroller.setAttribute("role", "region");
  scroller.setAttribute("aria-label", caption);
  return scroller;
}

function drawCell(cell, at) {
  const made = at === 0 ? scoped(element("th"), "row") : element("td");
  made.append(cell ?? "–");
  return made;
}

function scoped(cell, scope) {
  cell.scope = scope;
  return cell;
}

/** A share as a bar with its number. */
export function bar(share, told, level = "") {
  const made = element("span", "bar", told);
  made.style.setProperty("--share", Math.min(1, Math.max(0, share)));
  if (level) made.dataset.level = level;
  return made;
}
