// Server-sent events of an answer to a POST, which the browser's EventSource cannot send.

const BETWEEN = /\r?\n\r?\n/;

export async function* events(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    held += value ?? "";
    const blocks = held.split(BETWEEN);
    held = done ? "" : blocks.pop();
    for (const block of blocks) if (block.trim()) yield readEvent(block);
    if (done) return;
  }
}

function readEvent(block) {
  const found = { event: "message", data: [] };
  for (const line of block.split(/\r?\n/)) {
    const [, name, value] = /^(event|data): ?(.*)$/.exec(line) ?? [];
    if (name === "event") found.event = value;
    if (name === "data") found.data.push(value);
  }
  return [found.event, JSON.parse(found.data.join("\n") || "{}")];
}
