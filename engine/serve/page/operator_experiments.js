// Experiments in force, and what came of each so far.

import * as api from "./api.js";
import { element, holding } from "./dom.js";
import { table } from "./table.js";
import { count, number, percent } from "./wording.js";

export const TITLE = "Experiments";
export const NAME = "experiments";
export const EVERY_MS = 30_000;

export function start(body) {
  return async () => {
    const { experiments, problem } = await api.experiments();
    const reports = await Promise.all(experiments.map((one) => api.experiment(one.name)));
    const parts = reports.map(report);
    if (problem) parts.unshift(element("p", "fault", problem));
    if (!experiments.length) parts.push(element("p", "hint", "None: experiments.yaml beside the run's state makes one."));
    body.replaceChildren(...parts);
  };
}

function report({ experiment, arms, uplifts, moved, mismatch, sample_ratio_p }) {
  const { name, share, metric } = experiment;
  const counted = `${metric.kind}s in ${number(metric.outcome_days)} days${metric.attributed ? " from lists" : ""}`;
  const about = `${percent(share)} of the users of layer ${experiment.layer}, by ${counted}.`;
  const parts = [element("h3", "", name), element("p", "hint", about), variants(name, arms, uplifts)];
  if (mismatch) {
    const told = `The users do not share out as the weights say (p ${number(sample_ratio_p)}): trust no figure here.`;
    parts.splice(2, 0, element("p", "fault", told));
  }
  if (moved) parts.push(element("p", "hint", `${count(moved)} users were in two variants and are left out.`));
  return holding("article", "", ...parts);
}

function variants(name, arms, uplifts) {
  const against = new Map(uplifts.map((one) => [one.name, one]));
  const rows = arms.map((arm, at) => {
    const uplift = against.get(arm.name);
    const told = at === 0 ? "compared with" : uplift ? interval(uplift.relative ?? uplift.absolute, uplift.relative !== null) : "too early";
    return [arm.name, count(arm.exposed), count(arm.counted), arm.mean === null ? null : number(arm.mean), told, uplift ? number(uplift.p_value) : null];
  });
  return table(`Variants of ${name}`, ["Variant", "Shown", "Counted", "Mean", "Uplift", "p at any look"], rows);
}

function interval({ estimate, low, high }, isShare) {
  const say = isShare ? percent : number;
  return `${say(estimate)} (${say(low)} to ${say(high)})`;
}
