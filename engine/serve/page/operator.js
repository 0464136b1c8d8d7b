// The operator's view: is it well, what does it do, what does it serve, by which rules.

import { Fault } from "./api.js";
import { element, holding } from "./dom.js";
import * as experiments from "./operator_experiments.js";
import * as health from "./operator_health.js";
import * as policy from "./operator_policy.js";
import * as runs from "./operator_runs.js";
import * as traffic from "./operator_traffic.js";

const COLUMNS = [
  [health, traffic],
  [runs, policy, experiments],
];
let panels = null;
let timers = [];

/** Show or hide the view; `context` is {userId, scene, showFault}. */
export function show(root, isShown, context) {
  for (const timer of timers) clearInterval(timer);
  timers = [];
  if (!isShown) return;
  panels ??= draw(root, context);
  root.querySelector("h1").focus({ preventScroll: true });
  for (const panel of panels) {
    panel.refresh();
    timers.push(setInterval(() => document.hidden || panel.refresh(), panel.everyMs));
  }
}

function draw(root, context) {
  const title = element("h1", "", "Operator");
  title.tabIndex = -1;
  const made = COLUMNS.map((modules) => modules.map((module) => newPanel(module, context)));
  const columns = made.map((column) => holding("div", "column", ...column.map((panel) => panel.section)));
  root.append(title, holding("div", "panels", ...columns));
  return made.flat();
}

function newPanel({ TITLE, NAME, EVERY_MS, start }, context) {
  const heading = element("h2", "", TITLE);
  heading.id = `operator-${NAME}`;
  const problem = element("p", "fault");
  problem.setAttribute("role", "status");
  problem.hidden = true;
  const body = element("div", "body");
  const section = holding("section", "panel", heading, problem, body);
  section.dataset.panel = NAME;
  section.setAttribute("aria-labelledby", heading.id);
  const tell = (error) => {
    if (!(error instanceof Fault)) throw error;
    section.hidden = error.isAbsent;
    problem.textContent = error.message;
    problem.hidden = false;
    context.showFault(error);
  };
  const update = start(body, { ...context, tell });
  const refresh = async () => {
    try {
      await update();
      problem.hidden = true;
      section.hidden = false;
    } catch (error) {
      tell(error);
    }
  };
  return { section, refresh, everyMs: EVERY_MS };
}
