// A question before what cannot be undone with a click elsewhere.

import { button, element, holding } from "./dom.js";

/** Whether somebody says yes; Esc is no, and the focus goes back to where it was. */
export function sure(title, told, yes) {
  const dialog = element("dialog", "ask");
  const heading = element("h2", "", title);
  heading.id = "ask-title";
  dialog.setAttribute("aria-labelledby", heading.id);
  const buttons = holding(
    "div",
    "buttons",
    button("Cancel", () => dialog.close("no")),
    button(yes, () => dialog.close("yes"), "add"),
  );
  dialog.append(heading, element("p", "", told), buttons);
  document.body.append(dialog);
  dialog.showModal();
  return new Promise((answered) => {
    dialog.addEventListener("close", () => {
      dialog.remove();
      answered(dialog.returnValue === "yes");
    });
  });
}
