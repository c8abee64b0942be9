// Requests to an API server by its paths: JSON in, JSON out. Knows HTTP and TLS, no kinds of object.

import { Agent, request as httpsRequest } from "node:https";

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
    const headers = {
      authorization: `Bearer ${token}`,
      accept: "application/json",
      "content-type": `application/${method === "PATCH" ? patchType : "json"}`,
    };
    return new Promise((resolve, reject) => {
      const options = { method, headers, ca: this.#ca, agent: this.#agent };
      const request = httpsRequest(`${this.#url}${path}`, options, (response) => {
        let text = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          text += part;
        });
        response.once("error", reject);
        response.once("end", () => {
          const { statusCode = 0 } = response;
          if (statusCode >= 200 && statusCode <= 299) resolve(text);
          else reject(new ApiError(`${method} ${path}`, statusCode, text));
        });
      });
      request.once("error", reject);
      request.setTimeout(TIMEOUT_MS, () => {
        request.destroy(new Error(`Cannot ${method} ${path}: no answer in ${TIMEOUT_MS / 1000} s`));
      });
      request.end(body === undefined ? undefined : JSON.stringify(body));
    });
  }

  /** Closes the kept connections. */
  close(): void {
    this.#agent.destroy();
    this.#agent = new Agent({ keepAlive: true });
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
