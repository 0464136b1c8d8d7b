// Runs of the family: publish one, roll back.

import * as api from "./api.js";
import { sure } from "./confirm.js";
import { button, element, holding } from "./dom.js";
import { table } from "./table.js";
import { moment } from "./wording.js";

export const TITLE = "Runs";
export const NAME = "runs";
export const EVERY_MS = 15_000;
const CONFLICT = 409;
const HISTORY = 8;

export function start(body, { tell }) {
  const said = element("p", "hint");
  said.setAttribute("role", "status");
  let drawn = null;
  const update = async () => {
    const answer = await listed();
    // Not drawn anew for nothing: that would drop the focus.
    if (JSON.stringify(answer) === drawn) return;
    drawn = JSON.stringify(answer);
    body.replaceChildren(...draw(answer, act), said);
  };
  const act = async (title, told, yes, call) => {
    if (!(await sure(title, told, yes))) return;
    try {
      const done = await call();
      said.textContent = `${done.run} is published; the workers take it over one after another.`;
      await update();
    } catch (error) {
      tell(error);
    }
  };
  return update;
}

async function listed() {
  try {
    return await api.runs();
  } catch (error) {
    if (error instanceof api.Fault && error.status === CONFLICT) return { runs: [], history: [], single: error.message };
    throw error;
  }
}

function draw({ runs, history, single }, act) {
  if (single) return [element("p", "hint", `One run is served and there is nothing to publish: ${single}`)];
  const rows = runs.map((run) => [run.name, run.run_id, moment(run.as_of_unix_s), run.current ? current() : publish(run, act)]);
  const back = button("Roll back", () =>
    act("Roll back?", "The run that was published before the current one takes its place.", "Roll back", api.rollBack),
  );
  const told = history.slice(-HISTORY).reverse().map((one) => [moment(one.at_unix_s), one.action, one.run]);
  return [
    table("Runs of this family", ["Name", "Run", "Knows events up to", "Served"], rows),
    holding("p", "buttons", back),
    table("What was done", ["When", "What", "Run"], told),
  ];
}

function current() {
  const made = element("span", "pill", "current");
  made.dataset.level = "good";
  return made;
}

function publish(run, act) {
  const made = button("Publish", () =>
    act(`Publish ${run.name}?`, "Every worker takes it over, without a failed request.", "Publish", () => api.publish(run.name)),
  );
  made.setAttribute("aria-label", `Publish ${run.name}`);
  return made;
}
