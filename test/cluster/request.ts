// Requests to an API server by its paths: JSON in, JSON out. Knows HTTP and TLS, no kinds of object.

import type { ClientRequest, IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import { setTimeout as sleep } from "node:timers/promises";

/** An object as the API server sends it; tests look into it, the product has its own types. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is the server's, and any test may look anywhere
export type Json = any;

/** For an API server that hangs: one that is only busy answers in time. */
const TIMEOUT_MS = 60_000;

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export type RequestOptions = {
  /** Whose request it is; default the administrator's. */
  readonly token?: string;
  /** For PATCH: merge (the default) or apply, server-side. */
  readonly patch?: "merge" | "apply";
};

/** A refusal by the API server, with what its Status says. */
export class ApiError extends Error {
  /** The HTTP status. */
  readonly status: number;
  /** One word, such as NotFound or AlreadyExists; empty if the server gave none. */
  readonly reason: string;

  constructor(what: string, status: number, body: string) {
    const { message, reason } = statusIn(body);
    super(`Cannot ${what}: HTTP status ${status}: ${message}`);
    this.name = "ApiError";
    this.status = status;
    this.reason = reason;
  }
}

/** Sends requests to one API server over a few kept connections. */
export class Requester {
  readonly #url: string;
  readonly #ca: string;
  readonly #token: string;
  #agent = new Agent({ keepAlive: true });

  constructor(url: string, ca: string, token: string) {
    this.#url = url;
    this.#ca = ca;
    this.#token = token;
  }

  /** The object that the server answers with; throws `ApiError` for any status but 2xx. */
  async json(
    method: Method,
    path: string,
    body?: unknown,
    options?: RequestOptions,
  ): Promise<Json> {
    return JSON.parse(await this.text(method, path, body, options));
  }

  /** The text that the server answers with; throws `ApiError` for any status but 2xx. */
  text(
    method: Method,
    path: string,
    body?: unknown,
    { token = this.#token, patch = "merge" }: RequestOptions = {},
  ): Promise<string> {
    const patchType = patch === "apply" ? "apply-patch+yaml" : "merge-patch+json";
    const text = body === undefined ? "" : JSON.stringify(body);
    const headers = {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      // Node says it by itself for some methods only, and DELETE is none of them.
      "content-length": Buffer.byteLength(text),
      "content-type": `application/${method === "PATCH" ? patchType : "json"}`,
    };
    return new Promise((resolve, reject) => {
      const options = { method, headers, ca: this.#ca, agent: this.#agent };
      const request = httpsRequest(`${this.#url}${path}`, options, (response) => {
        let answer = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          answer += part;
        });
        response.once("error", reject);
        response.once("end", () => {
          const { statusCode = 0 } = response;
          if (statusCode >= 200 && statusCode <= 299) resolve(answer);
          else reject(new ApiError(`${method} ${path}`, statusCode, answer));
        });
      });
      request.once("error", reject);
      request.setTimeout(TIMEOUT_MS, () => {
        request.destroy(new Error(`Cannot ${method} ${path}: no answer in ${TIMEOUT_MS / 1000} s`));
      });
      request.end(text);
    });
  }

  /** Lists and watches the collection at the path, which may end in a query, until it is closed. */
  watch(path: string, onChange: () => void): Watch {
    const objects = new Map<string, Json>();
    const closed = new AbortController();
    const follow = async () => {
      const { items, metadata } = await this.json("GET", path);
      objects.clear();
      for (const object of items) objects.set(keyOf(object), object);
      onChange();
      const query = `watch=true&resourceVersion=${metadata.resourceVersion}`;
      const request = this.#get(`${path}${path.includes("?") ? "&" : "?"}${query}`, closed.signal);
      for await (const { type, object } of jsonLines(request)) {
        if (type === "ERROR") return;
        if (type === "DELETED") objects.delete(keyOf(object));
        else objects.set(keyOf(object), object);
        onChange();
      }
    };
    void (async () => {
      while (!closed.signal.aborted) {
        // A server that is down or forgot our place: from the start, a little later.
        await follow().catch(() => {});
        await sleep(WATCH_AGAIN_MS, undefined, { signal: closed.signal, ref: false }).catch(
          () => {},
        );
      }
    })();
    return { objects, close: () => closed.abort() };
  }

  #get(path: string, signal: AbortSignal): ClientRequest {
    const headers = { authorization: `Bearer ${this.#token}`, accept: "application/json" };
    // Without the agent: a request that lasts would keep a connection from the others.
    const request = httpsRequest(`${this.#url}${path}`, { headers, ca: this.#ca, signal });
    // A forgotten watch must not keep a test process from ending.
    request.on("socket", (socket) => socket.unref());
    request.end();
    return request;
  }

  /** Closes the kept connections. */
  close(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true });
  }
}

export type Watch = {
  /** By namespace/name. */
  readonly objects: ReadonlyMap<string, Json>;
  close(): void;
};

const WATCH_AGAIN_MS = 200;

function keyOf({ metadata }: Json): string {
  return `${metadata.namespace ?? ""}/${metadata.name}`;
}

async function* jsonLines(request: ClientRequest): AsyncGenerator<Json> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once("response", resolve);
    // Also later: the end of a watch is then an error of the response too, which the loop sees.
    request.on("error", reject);
  });
  let rest = "";
  for await (const part of response.setEncoding("utf8")) {
    const lines = `${rest}${part}`.split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield JSON.parse(line);
  }
}

function statusIn(body: string): { message: string; reason: string } {
  try {
    const { message = body, reason = "" } = JSON.parse(body);
    return { message, reason };
  } catch {
    return { message: body, reason: "" };
  }
}
