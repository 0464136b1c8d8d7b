// The REST interface, as the page uses it. Nothing else here speaks HTTP.

import { events } from "./stream.js";

const KEY = "vitrine-api-key";

export class Fault extends Error {
  constructor(message, status = 0) {
    super(message);
    this.status = status;
  }

  get wantsKey() {
    return this.status === 401 || this.status === 403;
  }

  get isAbsent() {
    return this.status === 404 || this.status === 405;
  }
}

export const useKey = (key) => sessionStorage.setItem(KEY, key);

function authorization() {
  const key = sessionStorage.getItem(KEY);
  return key ? { authorization: `Bearer ${key}` } : {};
}

async function ask(path, options = {}) {
  let response;
  try {
    response = await fetch(path, { ...options, headers: { ...options.headers, ...authorization() } });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Fault("The server cannot be reached.");
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  throw new Fault(problem.detail ?? `The server answered ${response.status}.`, response.status);
}

const call = async (path, options) => (await ask(path, options)).json();

const sending = (method, body, signal) => ({
  method,
  headers: { "content-type": "application/json" },
  body: JSON.stringify(body),
  signal,
});

const post = (path, body, signal) => call(path, sending("POST", body, signal));
const item = (id) => `v1/items/${encodeURIComponent(id)}`;

export const recommend = (request, signal) => post("v1/recommend", request, signal);
export const search = (request, signal) => post("v1/search", request, signal);
export const similar = (id, k, signal) => call(`${item(id)}/similar?k=${k}`, { signal });
export const complements = (id, k, signal) => call(`${item(id)}/complements?k=${k}`, { signal });
export const explain = (request, signal) => post("v1/explain", request, signal);
export const observe = (event) => post("v1/events", event);
export const readScene = (request, signal) => post("v1/scene", request, signal);
export const sceneOptions = () => call("v1/scene-options");
export const shoppers = () => call("v1/shoppers").then((answer) => answer.shoppers);

/** What this server can do: "POST /v1/chat" and the like. */
export async function abilities() {
  const { paths } = await call("openapi.json");
  return new Set(
    Object.entries(paths).flatMap(([path, methods]) => Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`)),
  );
}

/** The assistant's answer, as [name, data] of each event of its stream. */
export async function* chat(request, signal) {
  const options = sending("POST", request, signal);
  options.headers.accept = "text/event-stream";
  yield* events((await ask("v1/chat", options)).body);
}

export const health = () => call("health");
export const ready = () => call("ready");
export const metrics = async () => (await ask("metrics")).text();
export const runs = () => call("v1/runs");
export const publish = (run) => post("v1/runs/publish", { run });
export const rollBack = () => post("v1/runs/rollback", {});
export const policy = () => call("v1/policy");
export const putPolicy = (rules) => call("v1/policy", sending("PUT", rules));
export const previewPolicy = (request) => post("v1/policy/preview", request);
export const experiments = () => call("v1/experiments");
export const experiment = (name) => call(`v1/experiments/${encodeURIComponent(name)}`);
