// What a program says of itself over HTTP: /metrics, /healthz, /readyz and JSON pages of its own.
// Reads only; knows nothing of what it tells.

import http from "node:http";
import https from "node:https";
import type { AddressInfo, Socket } from "node:net";
import type { Registry } from "prom-client";
import { formatJson } from "./kube/json.ts";
import type { Secure } from "./serving/secure.ts";

export type HttpServerOptions = {
  /** 1 to 65535; 0: any that is free. */
  readonly port: number;
  /** Address to listen on; "" or "::": all addresses of both families. */
  readonly host: string;
  /** Whose metrics /metrics shows, as it is at that moment; absent: there is no such page. */
  readonly registries?: () => readonly Metrics[];
  /** Speaks TLS, and shows /metrics to those who may see it; absent: plain HTTP, for everybody. */
  readonly secure?: Secure | undefined;
  /** What the program waits for, in words; empty: it is ready. */
  readonly ready: () => readonly string[];
  /** What is broken so that only a restart helps, in words; empty: it is healthy. */
  readonly healthy: () => readonly string[];
  /** More pages by path, such as "/state"; each answers with the value as JSON. */
  readonly routes?: Readonly<Record<string, () => unknown>>;
};

export type HttpServer = {
  /** The port that is listened on. */
  readonly port: number;
  /** Stops to listen and closes all connections. */
  close(): Promise<void>;
};

/** Connections of TLS at a time: each takes 55 KiB, and who may read metrics is asked only later. */
export const SECURE_CONNECTIONS = 128;
/** So long such a connection may take for its handshake, and then for the head of a request. */
const SILENCE_MS = 5_000;

/** Starts the server; rejects when the port is bad or cannot be had. */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { port, host } = options;
  if (!Number.isInteger(port) || port < 0 || port > 65535) {
    throw new RangeError(`Cannot listen on port ${port}: want a whole number from 0 to 65535`);
  }
  const { secure } = options;
  const onRequest: http.RequestListener = (request, response) => {
    void answer(options, request, response);
  };
  const limits = {
    handshakeTimeout: SILENCE_MS,
    headersTimeout: SILENCE_MS,
    connectionsCheckingInterval: SILENCE_MS / 5,
  };
  const secureServer = secure && https.createServer({ ...secure.context, ...limits }, onRequest);
  const server = secureServer ?? http.createServer(onRequest);
  if (secureServer !== undefined) secureServer.maxConnections = SECURE_CONNECTIONS;
  // Those in the middle of a handshake are no HTTP connections yet.
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", (cause) => {
      reject(new Error(`Cannot listen on "${host}" port ${port}: ${cause.message}`, { cause }));
    });
    server.listen({ port, ...(host !== "" && { host }) }, resolve);
  });
  const unfollow = secure?.follow((context) => secureServer?.setSecureContext(context));
  return {
    port: (server.address() as AddressInfo).port,
    close: () =>
      new Promise((resolve) => {
        unfollow?.();
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  };
}

type Metrics = Pick<Registry, "contentType" | "metrics">;
type Page = { readonly status: number; readonly type: string; readonly body: string };

async function answer(
  options: HttpServerOptions,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  let page: Page;
  try {
    page = await pageOf(options, request);
  } catch (error) {
    page = text(500, error instanceof Error ? error.message : String(error));
  }
  response.writeHead(page.status, { "Content-Type": page.type });
  response.end(request.method === "HEAD" ? undefined : page.body);
}

async function pageOf(
  { registries, secure, ready, healthy, routes = {} }: HttpServerOptions,
  { method, url = "/", headers }: http.IncomingMessage,
): Promise<Page> {
  if (method !== "GET" && method !== "HEAD") return text(405, `Cannot ${method}: want GET`);
  const [path = "/"] = url.split("?");
  switch (path) {
    case "/metrics": {
      if (registries === undefined) break;
      const verdict = await secure?.review(headers.authorization);
      if (verdict?.kind === "refused") return text(verdict.status, verdict.message);
      return metricsOf(registries());
    }
    case "/healthz":
      return check(healthy());
    case "/readyz":
      return check(ready());
  }
  if (Object.hasOwn(routes, path)) {
    return { status: 200, type: "application/json", body: `${formatJson(routes[path]?.())}\n` };
  }
  const paths = [
    ...(registries === undefined ? [] : ["/metrics"]),
    ...["/healthz", "/readyz", ...Object.keys(routes)],
  ];
  return text(404, `No page ${path}: want one of ${paths.join(", ")}`);
}

async function metricsOf(registries: readonly Metrics[]): Promise<Page> {
  const texts = await Promise.all(registries.map((registry) => registry.metrics()));
  const [first] = registries;
  return { status: 200, type: first?.contentType ?? "text/plain", body: texts.join("") };
}

function check(missing: readonly string[]): Page {
  return missing.length === 0 ? text(200, "ok") : text(503, missing.join("\n"));
}

function text(status: number, body: string): Page {
  return { status, type: "text/plain; charset=utf-8", body: `${body}\n` };
}
