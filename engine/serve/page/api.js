// The REST interface, as the page uses it.

export class Fault extends Error {}

async function call(path, options = {}) {
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault("The server cannot be reached.");
  }
  const body = await response.json().catch(() => ({}));
  if (!response.ok) throw new Fault(body.detail ?? `The server answered ${response.status}.`);
  return body;
}

const post = (path, body, signal) =>
  call(path, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
    signal,
  });

export const recommend = (request, signal) => post("v1/recommend", request, signal);
export const observe = (event) => post("v1/events", event);
export const sceneOptions = () => call("v1/scene-options");
export const shoppers = () => call("v1/shoppers").then((answer) => answer.shoppers);
