// The assistant beside the list: what is said, what it answers, and the items that it found.

import * as api from "./api.js";
import { $, button, element, holding } from "./dom.js";
import { drawList } from "./list.js";
import { words } from "./wording.js";

const GAP = 12;
const panel = $("chat");
const talk = $("talk");
const box = $("message");
let conversation;
let speaker;
let asked = null;

/** `context()` gives user_id and scene of the moment, `actions` those of the cards. */
export function setUp({ context, actions }) {
  $("chat-open").hidden = false;
  $("chat-open").addEventListener("click", () => (panel.hidden ? open() : close()));
  panel.querySelector(".close").addEventListener("click", close);
  panel.addEventListener("keydown", (event) => event.key === "Escape" && close());
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    $("chat-form").requestSubmit();
  });
  $("chat-form").addEventListener("submit", (event) => {
    event.preventDefault();
    const message = box.value.trim();
    if (!message || asked) return;
    box.value = "";
    say(message, context(), actions);
  });
}

function open() {
  panel.hidden = false;
  document.body.classList.add("chatting");
  $("chat-open").ariaExpanded = "true";
  box.focus();
}

function close() {
  panel.hidden = true;
  document.body.classList.remove("chatting");
  $("chat-open").ariaExpanded = "false";
  $("chat-open").focus();
}

async function say(message, { user_id, scene }, actions) {
  if (user_id !== speaker) conversation = undefined; // another shopper has said nothing yet
  speaker = user_id;
  const mine = element("li", "mine", message);
  const turn = holding("li", "theirs", element("p", "waiting", "One moment"));
  talk.append(mine, turn);
  talk.scrollTop = talk.scrollHeight;
  asked = new AbortController();
  try {
    const found = { items: [], steps: [] };
    for await (const [name, data] of api.chat({ user_id, scene, message, conversation }, asked.signal)) hear(turn, found, name, data, actions);
  } catch (error) {
    if (!(error instanceof api.Fault)) throw error;
    turn.replaceChildren(element("p", "fault", error.message));
  } finally {
    asked = null;
    talk.scrollTop = mine.offsetTop - GAP;
  }
}

function hear(turn, found, name, data, actions) {
  if (name === "step") found.steps.push(data);
  if (name === "text") turn.replaceChildren(element("p", "", data.text), ...way(found.steps));
  if (name === "item") found.items.push(data);
  if (name === "question") turn.append(...question(data));
  if (name === "problem") throw new api.Fault(data.detail, data.status);
  if (name !== "done") return;
  conversation = data.conversation;
  if (!found.items.length) return;
  const list = element("ol", "list");
  list.tabIndex = -1;
  list.setAttribute("aria-label", "What the assistant found");
  turn.append(list);
  drawList(list, found.items, actions);
}

function question({ question, options }) {
  const answers = options.map((option) =>
    button(option, () => {
      box.value = option;
      $("chat-form").requestSubmit();
    }),
  );
  return [element("p", "", question), holding("div", "options", ...answers)];
}

function way(steps) {
  if (!steps.length) return [];
  const told = steps.map((step) => element("li", "", `${words(step.what)}: ${step.left.toLocaleString("en")} left`));
  return [holding("details", "way", element("summary", "", "How it was found"), holding("ul", "", ...told))];
}
