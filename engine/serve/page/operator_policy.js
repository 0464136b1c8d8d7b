// The policy in force, what another would change for a shopper, and putting it in force.

import * as api from "./api.js";
import { sure } from "./confirm.js";
import { button, element, holding } from "./dom.js";
import { pretty } from "./wording.js";

export const TITLE = "Policy";
export const NAME = "policy";
export const EVERY_MS = 30_000;

export function start(body, { tell, userId, scene }) {
  const said = element("p", "hint");
  const problem = element("p", "fault");
  problem.hidden = true;
  const rules = element("textarea", "rules");
  rules.rows = 12;
  rules.spellcheck = false;
  rules.setAttribute("aria-label", "Rules, as JSON");
  const lists = element("div", "sides");
  lists.setAttribute("role", "status");
  let inForce = null;

  const told = (answer) => {
    said.textContent = `In force: ${answer.version}, from ${answer.source === "file" ? "the policy file" : "the run's own settings"}.`;
    problem.textContent = answer.problem ?? "";
    problem.hidden = !answer.problem;
    const text = JSON.stringify(spoken(answer.policy), null, 2);
    // What somebody is writing is not taken from under their hands.
    if (inForce === null || rules.value === inForce) rules.value = text;
    inForce = text;
  };
  const guarded = (act) => async () => {
    try {
      await act(readRules(rules.value));
    } catch (error) {
      tell(error);
    }
  };
  const preview = guarded(async (policy) => {
    const user_id = userId();
    const found = await api.previewPolicy({ user_id, policy, scene: scene() });
    lists.replaceChildren(...sides(found, user_id));
  });
  const put = guarded(async (policy) => {
    if (await sure("Put these rules in force?", "Every worker keeps to them within a second.", "Put in force")) {
      told(await api.putPolicy(policy));
    }
  });
  const buttons = holding("p", "buttons", button("Preview for the shopper", preview, "add"), button("Put in force", put));
  body.append(said, problem, rules, buttons, lists);
  return async () => told(await api.policy());
}

// What is switched off says nothing; the weight of wishes belongs to the run, not to a policy.
function spoken(policy) {
  const isSaid = ([name, value]) => {
    if (name === "wish_weight" || value === null) return false;
    if (name === "block") return Object.values(value).some((list) => list.length);
    return !(Array.isArray(value) && value.length === 0);
  };
  return Object.fromEntries(Object.entries(policy).filter(isSaid));
}

function readRules(text) {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new api.Fault(`The rules are not JSON: ${error.message}`);
  }
}

function sides({ version_before, version_after, before, after, entered, left }, userId) {
  const marks = (ids, mark) => new Map(ids.map((id) => [id, mark]));
  return [
    element("p", "hint", `${pretty(userId)}: ${entered.length} enter, ${left.length} leave.`),
    side(`Now: ${version_before}`, before, marks(left, "leaves")),
    side(`Then: ${version_after}`, after, marks(entered, "enters")),
  ];
}

function side(title, slots, marked) {
  const lines = slots.map((slot) => {
    const line = element("li", "", slot.item.title);
    const mark = marked.get(slot.item.item_id);
    if (mark) {
      line.dataset.mark = mark;
      line.append(element("span", "pill", mark));
    }
    const rules = slot.trace.rules.join(", ");
    if (rules) line.append(element("span", "hint", rules));
    return line;
  });
  return holding("div", "side", element("h3", "", title), holding("ol", "", ...lines));
}
