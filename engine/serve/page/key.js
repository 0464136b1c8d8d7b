// The field for an API key: there where the server asked for one.

import { useKey } from "./api.js";
import { $ } from "./dom.js";

export function askForKey() {
  if (!$("key-form").hidden) return;
  $("key-form").hidden = false;
  $("key").focus();
}

export function setUp() {
  $("key-form").addEventListener("submit", (event) => {
    event.preventDefault();
    useKey($("key").value.trim());
    location.reload(); // the address holds the scene
  });
}
