// Elements, made in one line.

const SVG = "http://www.w3.org/2000/svg";

export const $ = (id) => document.getElementById(id);

export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== "") made.textContent = text;
  return made;
}

export function holding(name, className, ...parts) {
  const made = element(name, className);
  made.append(...parts);
  return made;
}

export function button(text, act, className = "") {
  const made = element("button", className, text);
  made.type = "button";
  made.addEventListener("click", () => act(made));
  return made;
}

export function drawn(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text !== "") made.textContent = text;
  return made;
}

export function offer(select, values, label = (value) => value) {
  select.append(...values.map((value) => new Option(label(value), value)));
}
