// Search by words, a photo, or both: its answer takes the place of the list until it is cleared.

import { $ } from "./dom.js";
import { photoField } from "./photo.js";

const TYPING_PAUSE_MS = 350;
const box = $("find");
let photo = null;

/** What is searched for, or null. */
export function sought() {
  const text = box.value.trim();
  return text || photo ? { text: text || null, image: photo } : null;
}

export function soughtInWords() {
  const text = box.value.trim();
  if (!photo) return `“${text}”`;
  return text ? `“${text}” and the photo` : "the photo";
}

export function setUp({ changed, failed }) {
  let pause;
  const later = () => {
    clearTimeout(pause);
    pause = setTimeout(changed, TYPING_PAUSE_MS);
  };
  const field = photoField($("find-photo"), $("search"), {
    changed: (image) => {
      photo = image;
      later();
    },
    failed,
  });
  box.addEventListener("input", later);
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    later();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !sought()) return;
    event.preventDefault();
    box.value = "";
    field.clear();
    later();
  });
}
