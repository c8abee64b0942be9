// Requests and streams to the API server over a bounded number of kept-alive sockets. Knows HTTP and
// TLS, no kinds of objects. A failure is always a KubeError; nothing is retried that the server may
// have seen, except what does the same when done twice.

import http from "node:http";
import https from "node:https";
import type { Socket } from "node:net";
import { TLSSocket } from "node:tls";
import { CredentialSource, type Credentials } from "./credentials.ts";
import { errorOfAnswer, errorOfSilence, KubeError } from "./error.ts";
import { formatJson, parseJson } from "./json.ts";
import { Lines } from "./lines.ts";
import { sleep } from "./sleep.ts";

export const MERGE_PATCH = "application/merge-patch+json";
/** JSON is YAML, so the body is JSON; needs the query parameter fieldManager. */
export const APPLY_PATCH = "application/apply-patch+yaml";

export type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export type RequestOptions = {
  readonly query?: Readonly<Record<string, string>> | undefined;
  readonly body?: unknown;
  /** Default application/json. */
  readonly contentType?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** From the call to the last byte of the answer, waiting for a free socket included; default 30 000. */
  readonly timeoutMs?: number | undefined;
};

export type StreamOptions = {
  readonly query: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  /** Called once, when the server has accepted. */
  readonly onOpen?: (() => void) | undefined;
  /** The stream is given up when nothing arrives for so long; default 120 000. */
  readonly idleTimeoutMs?: number | undefined;
};

export type Connection = {
  readonly server: string;
  /** Requests that wait for an answer or for a socket; streams do not count. */
  readonly inFlight: number;
  /**
   * Sends JSON, returns JSON; integers above 2^53 arrive as bigint and a bigint is sent as an exact
   * number. Throws KubeError, or the reason of the signal when that fired.
   */
  request<T>(method: Method, path: string, options?: RequestOptions): Promise<T>;
  /** One parsed value per line of the answer; ends when the server closes. Throws as `request` does. */
  stream(path: string, options: StreamOptions): AsyncIterable<unknown>;
  /** For a request that got no answer: waits so long, or until the server answers another one. */
  untilAnswer(timeoutMs: number, signal: AbortSignal): Promise<void>;
  /** Ends what is under way and closes all sockets. */
  close(): void;
};

export type ConnectOptions = {
  /** Path, or several as in $KUBECONFIG; undefined: the service account of the pod we are in. */
  readonly kubeconfig: string | undefined;
  /** Sockets for requests; more requests than that wait for each other. Default 32. */
  readonly maxSockets?: number;
  /**
   * Asked about each request that is no GET when its socket is ready and nothing is sent yet; false:
   * it fails with the reason "NotAllowed". Default: all may be sent.
   */
  readonly mayWrite?: () => boolean;
};

/** Makes a connection; nothing is sent yet. Throws when the kubeconfig cannot be read. */
export function connect(options: ConnectOptions): Connection {
  return new HttpConnection(options);
}

const TIMEOUT_MS = 30_000;
const IDLE_TIMEOUT_MS = 120_000;
/**
 * TCP probes start after so long without traffic. libuv then probes each second and gives up after
 * ten: a host that vanished is noticed within 25 s.
 */
const TCP_KEEPALIVE_MS = 15_000;

/** Those who waited for the server come back within so long. */
const WAKE_SPREAD_MS = 100;

class HttpConnection implements Connection {
  readonly #source: CredentialSource;
  readonly #maxSockets: number;
  readonly #mayWrite: (() => boolean) | undefined;
  /** What is under way. */
  readonly #deadlines = new Set<Deadline>();
  /** Wakes everyone who waits for the server to come back. */
  #answered = new AbortController();
  /** The last thing heard from the server was nothing. */
  #isSilent = false;
  #isClosed = false;
  #agents: Agents | undefined;
  #inFlight = 0;

  constructor({ kubeconfig, maxSockets = 32, mayWrite }: ConnectOptions) {
    this.#source = new CredentialSource(kubeconfig);
    this.#maxSockets = maxSockets;
    this.#mayWrite = mayWrite;
  }

  get server(): string {
    return this.#source.server;
  }

  get inFlight(): number {
    return this.#inFlight;
  }

  async request<T>(method: Method, path: string, options: RequestOptions = {}): Promise<T> {
    const { query, body, signal, timeoutMs = TIMEOUT_MS } = options;
    const payload = body === undefined ? undefined : Buffer.from(formatJson(body));
    const contentType = options.contentType ?? "application/json";
    const limit = this.#deadline(timeoutMs, signal);
    this.#inFlight++;
    try {
      const target = pathWithQuery(path, query);
      const answer = await this.#ask({ method, path, target, payload, contentType, limit });
      // The parser of the caller's edge takes it from here.
      return (answer === "" ? undefined : parseBody(method, path, answer)) as T;
    } finally {
      this.#inFlight--;
      this.#clear(limit);
    }
  }

  /** Asks, and asks once more when credentials were stale or a kept socket had been closed. */
  async #ask(question: Question): Promise<string> {
    const { method, path } = question;
    for (let attempt = 1; ; attempt++) {
      const sent = await this.#send(question, "request");
      if ("error" in sent) {
        if (attempt === 1 && sent.onKeptSocket && method !== "POST") continue;
        throw sent.error;
      }
      const { response } = sent;
      const text = await readAll(response, question);
      const status = response.statusCode ?? 0;
      if (status >= 200 && status < 300) return text;
      if (status === 401 && attempt === 1) {
        this.#source.refresh();
        continue;
      }
      throw errorOfAnswer(method, path, status, response.headers["retry-after"], text);
    }
  }

  async *stream(path: string, options: StreamOptions): AsyncGenerator<unknown> {
    const { query, signal, onOpen, idleTimeoutMs = IDLE_TIMEOUT_MS } = options;
    const method = "GET";
    const limit = this.#deadline(idleTimeoutMs, signal);
    const question: Question = {
      method,
      path,
      target: pathWithQuery(path, query),
      payload: undefined,
      contentType: "application/json",
      limit,
    };
    try {
      const sent = await this.#send(question, "stream");
      if ("error" in sent) throw sent.error;
      const { response } = sent;
      const status = response.statusCode ?? 0;
      if (status !== 200) {
        if (status === 401) this.#source.refresh();
        const text = await readAll(response, question);
        throw errorOfAnswer(method, path, status, response.headers["retry-after"], text);
      }
      onOpen?.();
      const lines = new Lines();
      try {
        for await (const piece of response as AsyncIterable<Buffer>) {
          limit.restart();
          for (const line of lines.add(piece)) {
            if (line !== "") yield parseBody(method, path, line);
          }
        }
        const rest = lines.rest();
        if (rest.trim() !== "") yield parseBody(method, path, rest);
      } catch (cause) {
        throw limit.failure(method, path, cause);
      } finally {
        response.destroy();
      }
    } finally {
      this.#clear(limit);
    }
  }

  async untilAnswer(timeoutMs: number, signal: AbortSignal): Promise<void> {
    const answered = this.#answered.signal;
    await sleep(timeoutMs, AbortSignal.any([signal, answered]));
    // Not all at once.
    if (answered.aborted) await sleep(Math.random() * WAKE_SPREAD_MS, signal);
  }

  close(): void {
    this.#isClosed = true;
    for (const deadline of this.#deadlines) deadline.end(closed());
    this.#agents?.close();
  }

  #deadline(timeoutMs: number, signal: AbortSignal | undefined): Deadline {
    const deadline = new Deadline(timeoutMs, signal);
    if (this.#isClosed) deadline.end(closed());
    this.#deadlines.add(deadline);
    return deadline;
  }

  #clear(deadline: Deadline): void {
    deadline.clear();
    this.#deadlines.delete(deadline);
  }

  /** Resolves with the head of the answer; never rejects. */
  async #send(question: Question, use: "request" | "stream"): Promise<Sent> {
    const { method, path, target, payload, contentType, limit } = question;
    if (limit.isOver) return { error: limit.failure(method, path, undefined), onKeptSocket: false };
    let credentials: Credentials;
    try {
      credentials = await this.#source.current();
    } catch (cause) {
      return { error: errorOfSilence(method, path, cause), onKeptSocket: false };
    }
    const agents = this.#agentsFor(credentials);
    const url = new URL(credentials.server);
    const { request: send } = url.protocol === "http:" ? http : https;
    return new Promise<Sent>((resolve) => {
      const request = send({
        ...credentials.tls,
        agent: agents[use],
        host: url.hostname.replace(/^\[|\]$/g, ""),
        port: url.port === "" ? (url.protocol === "http:" ? 80 : 443) : Number(url.port),
        path: `${url.pathname === "/" ? "" : url.pathname}${target}`,
        method,
        headers: {
          Accept: "application/json",
          "User-Agent": "metallb-ts",
          ...credentials.headers,
          ...(payload !== undefined && {
            "Content-Type": contentType,
            "Content-Length": payload.length,
          }),
        },
      });
      limit.onEnd((reason) => request.destroy(reason));
      request.once("socket", (socket) => {
        if (!request.reusedSocket) socket.setKeepAlive(true, TCP_KEEPALIVE_MS);
      });
      const mayWrite = method === "GET" ? undefined : this.#mayWrite;
      let isRefused = false;
      if (mayWrite !== undefined) {
        // A request that is ended earlier waits in the socket, and goes out whenever that is ready.
        onReady(request, () => {
          if (mayWrite()) request.end(payload);
          else {
            isRefused = true;
            request.destroy(named("NotAllowed", "Not sent: we may not write any more"));
          }
        });
      }
      request.once("response", (response) => {
        if (this.#isSilent) {
          this.#isSilent = false;
          this.#answered.abort();
          this.#answered = new AbortController();
        }
        limit.onEnd((reason) => response.destroy(reason));
        resolve({ response });
      });
      // Stays for good: after the response an error comes here as well and must find a listener.
      request.on("error", (cause) => {
        if (!limit.isAborted && !isRefused) this.#isSilent = true;
        resolve({
          error: limit.failure(method, path, cause),
          onKeptSocket: request.reusedSocket && !limit.isOver && !isRefused,
        });
      });
      if (mayWrite === undefined) request.end(payload);
    });
  }

  /** The agents for these credentials; new ones when certificates changed. */
  #agentsFor(credentials: Credentials): Agents {
    if (this.#agents?.fits(credentials)) return this.#agents;
    // Streams on old sockets go on until the server ends them; it accepted them once.
    this.#agents?.retire();
    this.#agents = new Agents(credentials, this.#maxSockets);
    return this.#agents;
  }
}

type Question = {
  readonly method: Method;
  readonly path: string;
  readonly target: string;
  readonly payload: Buffer | undefined;
  readonly contentType: string;
  readonly limit: Deadline;
};

type Sent =
  | { readonly response: http.IncomingMessage }
  | {
      readonly error: unknown;
      /** The socket had been used before: the server may have closed it while we wrote. */
      readonly onKeptSocket: boolean;
    };

/** Sockets: a bounded set for requests, one each for streams. */
class Agents {
  readonly request: http.Agent;
  readonly stream: http.Agent;
  readonly #credentials: Credentials;

  constructor(credentials: Credentials, maxSockets: number) {
    this.#credentials = credentials;
    if (credentials.proxyAgent instanceof http.Agent) {
      this.request = credentials.proxyAgent;
      this.stream = credentials.proxyAgent;
      return;
    }
    const { Agent } = credentials.server.startsWith("http:") ? http : https;
    this.request = new Agent({
      keepAlive: true,
      keepAliveMsecs: TCP_KEEPALIVE_MS,
      maxSockets,
      scheduling: "lifo",
    });
    this.stream = new Agent({ keepAlive: false });
  }

  fits({ server, tls, proxyAgent }: Credentials): boolean {
    const mine = this.#credentials;
    return (
      server === mine.server &&
      proxyAgent === mine.proxyAgent &&
      String(tls.ca) === String(mine.tls.ca) &&
      String(tls.cert) === String(mine.tls.cert) &&
      String(tls.key) === String(mine.tls.key)
    );
  }

  /** Closes the idle sockets; the others close when their answer is complete. */
  retire(): void {
    for (const agent of [this.request, this.stream]) {
      agent.maxFreeSockets = 0;
      for (const sockets of Object.values(agent.freeSockets)) {
        for (const socket of sockets ?? []) socket.destroy();
      }
    }
  }

  close(): void {
    this.request.destroy();
    this.stream.destroy();
  }
}

/** Why and when something under way must end: its time is up, its signal fired, we are closing. */
class Deadline {
  #reason: Error | undefined;
  #onEnd: ((reason: Error) => void) | undefined;
  readonly #timer: NodeJS.Timeout;
  readonly #signal: AbortSignal | undefined;
  readonly #onAbort = (): void => this.end(new Error("Aborted"));

  constructor(timeoutMs: number, signal: AbortSignal | undefined) {
    this.#signal = signal;
    this.#timer = setTimeout(() => {
      this.end(named("Timeout", `No answer within ${timeoutMs / 1000} s`));
    }, timeoutMs);
    if (signal?.aborted) this.#onAbort();
    signal?.addEventListener("abort", this.#onAbort);
  }

  get isOver(): boolean {
    return this.#reason !== undefined;
  }

  /** It is over because the caller wanted it. */
  get isAborted(): boolean {
    return this.#signal?.aborted === true;
  }

  end(reason: Error): void {
    if (this.#reason !== undefined) return;
    this.#reason = reason;
    this.#onEnd?.(reason);
  }

  /** What to do at the end; replaces what was said before. */
  onEnd(onEnd: (reason: Error) => void): void {
    this.#onEnd = onEnd;
    if (this.#reason !== undefined) onEnd(this.#reason);
  }

  /** Something arrived: the time starts again. */
  restart(): void {
    this.#timer.refresh();
  }

  /** What to throw for a failure: our own reason if we ended it, else what was seen. */
  failure(method: string, path: string, cause: unknown): unknown {
    if (this.isAborted) return this.#signal?.reason;
    return errorOfSilence(method, path, this.#reason ?? cause);
  }

  clear(): void {
    clearTimeout(this.#timer);
    this.#signal?.removeEventListener("abort", this.#onAbort);
  }
}

function closed(): Error {
  return named("Closed", "The connection was closed");
}

function named(name: string, message: string): Error {
  const error = new Error(message);
  error.name = name;
  return error;
}

/** Calls `act` when what is written to the request goes to the kernel at once. */
function onReady(request: http.ClientRequest, act: () => void): void {
  request.once("socket", (socket) => {
    if (isReady(socket)) act();
    else socket.once(socket instanceof TLSSocket ? "secureConnect" : "connect", act);
  });
}

function isReady(socket: Socket): boolean {
  if (!(socket instanceof TLSSocket)) return !socket.connecting;
  const protocol = socket.getProtocol();
  // Before the end of the handshake.
  return protocol !== null && protocol !== "unknown";
}

async function readAll(response: http.IncomingMessage, question: Question): Promise<string> {
  const pieces: Buffer[] = [];
  try {
    for await (const piece of response as AsyncIterable<Buffer>) pieces.push(piece);
  } catch (cause) {
    throw question.limit.failure(question.method, question.path, cause);
  }
  return Buffer.concat(pieces).toString("utf8");
}

function parseBody(method: Method, path: string, text: string): unknown {
  try {
    return parseJson(text);
  } catch (cause) {
    // Half a line of a stream that was cut, or something that is no API server.
    throw new KubeError({
      status: undefined,
      reason: "NotJson",
      detail: `Cannot parse answer "${text.slice(0, 80)}": want JSON`,
      method,
      path,
      retryAfterMs: undefined,
      cause,
    });
  }
}

function pathWithQuery(path: string, query: Readonly<Record<string, string>> | undefined): string {
  const text = new URLSearchParams(query).toString();
  return text === "" ? path : `${path}?${text}`;
}
