// A photo that is chosen, dropped or pasted, made small, and shown before it is sent.

const MOST_BYTES = 20_000_000;
const MOST_PIXELS = 1024;
const QUALITY = 0.9;

/** A field for one photo; `changed(base64 or null)` hears of it, `failed(message)` of what cannot be read. */
export function photoField(root, pasteOn, { changed, failed }) {
  const input = root.querySelector("input");
  const preview = root.querySelector(".preview");
  const image = preview.querySelector("img");
  const drop = input.closest("label");

  async function take(file) {
    try {
      const url = await shrunk(file);
      image.src = url;
      preview.hidden = false;
      drop.hidden = true;
      changed(url.slice(url.indexOf(",") + 1));
    } catch (error) {
      failed(error.message);
    }
    input.value = "";
  }

  function clear() {
    preview.hidden = true;
    drop.hidden = false;
    image.removeAttribute("src");
    changed(null);
  }

  input.addEventListener("change", () => input.files[0] && take(input.files[0]));
  preview.querySelector("button").addEventListener("click", () => {
    clear();
    input.focus();
  });
  listenForDrops(root, take);
  pasteOn.addEventListener("paste", (event) => {
    const file = pictureIn(event.clipboardData);
    if (!file) return;
    event.preventDefault();
    event.stopPropagation();
    take(file);
  });
  return { clear: () => preview.hidden || clear() };
}

function listenForDrops(root, take) {
  const over = (is) => (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault();
    root.classList.toggle("over", is);
  };
  root.addEventListener("dragover", over(true));
  root.addEventListener("dragleave", over(false));
  root.addEventListener("drop", (event) => {
    over(false)(event);
    const [file] = event.dataTransfer.files;
    if (file) take(file);
  });
}

const pictureIn = (clipboard) => [...(clipboard?.files ?? [])].find((file) => file.type.startsWith("image/"));

async function shrunk(file) {
  if (file.size > MOST_BYTES) {
    const megabytes = (file.size / 1e6).toFixed(0);
    throw new Error(`This photo has ${megabytes} MB; up to ${MOST_BYTES / 1e6} MB can be taken. Choose a smaller one.`);
  }
  const picture = await createImageBitmap(file).catch(() => {
    throw new Error(`${file.name || "This file"} is not a picture that this browser can read. Try a JPEG, PNG or WebP.`);
  });
  const scale = Math.min(1, MOST_PIXELS / Math.max(picture.width, picture.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(picture.width * scale));
  canvas.height = Math.max(1, Math.round(picture.height * scale));
  const pen = canvas.getContext("2d");
  pen.fillStyle = "white"; // JPEG has no transparency
  pen.fillRect(0, 0, canvas.width, canvas.height);
  pen.drawImage(picture, 0, 0, canvas.width, canvas.height);
  picture.close();
  return canvas.toDataURL("image/jpeg", QUALITY);
}
