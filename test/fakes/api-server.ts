// An API server double over plain HTTP for faults and scale. It is not kube-apiserver: no schemas,
// validation, defaults, admission, RBAC, namespaces that must exist, discovery, finalizers, garbage
// collection or managed fields; a strategic merge patch is a JSON merge patch, and so is an apply
// patch (with conditions merged by type), which never takes a field away.

import { randomInt } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import http from "node:http";
import type { AddressInfo, Socket } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { formatJson, parseJson } from "../../src/kube/json.ts";
import { BadSelector, fieldMatcher, labelMatcher, type Matcher } from "./api-selector.ts";
import {
  type Change,
  type Collection,
  type KubeObject,
  mergePatch,
  Storage,
  type Stored,
} from "./api-storage.ts";

export type Verb =
  | "get"
  | "list"
  | "watch"
  | "create"
  | "update"
  | "patch"
  | "delete"
  | "deletecollection";

/** An object as users write it. */
export type Manifest = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
};

/** An object as the server sends it; tests look into it, the product has its own types. */
// biome-ignore lint/suspicious/noExplicitAny: the shape is the kind's, and any test may look anywhere
export type Json = any;

export type RequestRecord = {
  readonly verb: Verb;
  /** Without the query. */
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly contentType: string | undefined;
  readonly authorization: string | undefined;
  readonly body: Json;
};

export type Fault = {
  /** Default: all verbs. */
  readonly verb?: Verb;
  /** Default: all paths. */
  readonly path?: RegExp;
  /** How many requests meet it; default 1. */
  readonly times?: number;
} & (
  | {
      readonly kind: "status";
      readonly status: number;
      readonly reason?: string;
      readonly message?: string;
      readonly retryAfterSeconds?: number;
    }
  /** Never answers. */
  | { readonly kind: "hang" }
  /** Answers so much later. */
  | { readonly kind: "slow"; readonly ms: number }
  /** Closes the connection without an answer; nothing is done. */
  | { readonly kind: "reset" }
  /** Does what was asked, then closes the connection without an answer. */
  | { readonly kind: "lose" }
);

export type ApiServerOptions = {
  /** Address to listen on; default 127.0.0.1. */
  readonly host?: string;
  /** Default: any that is free. */
  readonly port?: number;
};

/** Starts the double. */
export async function startApiServer(options: ApiServerOptions = {}): Promise<FakeApiServer> {
  const server = new FakeApiServer(options);
  await server.accept();
  return server;
}

export class FakeApiServer {
  /** Every request so far, oldest first, those that met a fault included. */
  readonly requests: RequestRecord[] = [];
  /** Bearer tokens that are accepted; undefined: anyone is. */
  tokens: readonly string[] | undefined;
  /** Whose the bearer tokens are that a TokenReview knows. */
  readonly users = new Map<string, string>();
  /** Users whom a SubjectAccessReview allows whatever they want. */
  readonly allowed = new Set<string>();
  /** Names such as "bgppeers.metallb.io" whose CRD is absent. */
  readonly absent = new Set<string>();
  readonly #host: string;
  #port: number;
  readonly #http: http.Server;
  readonly #sockets = new Set<Socket>();
  readonly #storage = new Storage((collection, change) => this.#tell(collection, change));
  readonly #streams = new Set<Stream>();
  readonly #pages = new Map<string, readonly Stored[]>();
  readonly #faults = new Set<{ readonly fault: Fault; left: number }>();
  #isHolding = false;
  #folder: string | undefined;

  constructor({ host = "127.0.0.1", port = 0 }: ApiServerOptions) {
    this.#host = host;
    this.#port = port;
    this.#http = http.createServer((request, response) => this.#take(request, response));
    this.#http.keepAliveTimeout = 60_000;
    this.#http.on("connection", (socket) => {
      this.#sockets.add(socket);
      socket.once("close", () => this.#sockets.delete(socket));
    });
  }

  get port(): number {
    return this.#port;
  }

  get url(): string {
    return `http://${this.#host}:${this.#port}`;
  }

  /** The path of a kubeconfig with the first of `tokens`; removed at `close`. */
  kubeconfigFile(): string {
    this.#folder ??= mkdtempSync(path.join(tmpdir(), "api-server-"));
    const file = path.join(this.#folder, "kubeconfig");
    const config = {
      apiVersion: "v1",
      kind: "Config",
      "current-context": "fake",
      clusters: [{ name: "fake", cluster: { server: this.url } }],
      users: [{ name: "fake", user: { token: this.tokens?.[0] ?? "anyone" } }],
      contexts: [{ name: "fake", context: { cluster: "fake", user: "fake" } }],
    };
    // JSON is YAML.
    writeFileSync(file, JSON.stringify(config));
    return file;
  }

  /** Creates the object or replaces it, status included; returns what is stored. */
  put(manifest: Manifest): Json {
    const { group, plural, key } = placeOf(manifest);
    const { apiVersion, kind, ...object } = manifest;
    const collection = this.#storage.collection(group, plural);
    collection.kind = kind;
    const stored = this.#storage.set(collection, key, object);
    return JSON.parse(text(stored, collection, apiVersion)) as Json;
  }

  /** The object at a path such as "/api/v1/namespaces/a/services/b"; undefined: there is none. */
  get(path: string): Json {
    const target = targetOf(path);
    const collection = this.#storage.collection(target.group, target.plural);
    const stored = collection.objects.get(keyOf(target));
    return stored && parseJson(text(stored, collection, target.apiVersion));
  }

  /** The objects of a collection such as "/api/v1/services", in the order of namespaces and names. */
  list(path: string): Json[] {
    const target = targetOf(path);
    const collection = this.#storage.collection(target.group, target.plural);
    return inNamespace(collection, target.namespace).map((stored) =>
      parseJson(text(stored, collection, target.apiVersion)),
    );
  }

  /** Removes what `pathOf` names or the path does; returns whether there was such an object. */
  remove(path: string): boolean {
    const target = targetOf(path);
    const collection = this.#storage.collection(target.group, target.plural);
    const stored = collection.objects.get(keyOf(target));
    if (stored !== undefined) this.#storage.remove(collection, stored);
    return stored !== undefined;
  }

  /** Requests so far by verb and path. */
  count(verb: Verb, path: RegExp = /^/): number {
    return this.requests.filter((one) => one.verb === verb && path.test(one.path)).length;
  }

  /** Watches that are open. */
  get streams(): number {
    return this.#streams.size;
  }

  /** Lets requests meet a fault; of several that fit, the oldest. Returns what takes it away. */
  fault(fault: Fault): () => void {
    const entry = { fault, left: fault.times ?? 1 };
    this.#faults.add(entry);
    return () => void this.#faults.delete(entry);
  }

  /** Breaks the connections of all watches. */
  cutStreams(): void {
    for (const stream of this.#streams) stream.response.destroy();
  }

  /** Ends all watches in order, as the server does after their timeout. */
  endStreams(): void {
    for (const stream of this.#streams) this.#end(stream);
  }

  /** Keeps what watches should see until `releaseStreams`. */
  holdStreams(): void {
    this.#isHolding = true;
  }

  releaseStreams(): void {
    this.#isHolding = false;
    for (const stream of this.#streams) stream.response.write(stream.held.splice(0).join(""));
  }

  /** Sends a bookmark to every watch that asked for them. */
  sendBookmarks(): void {
    for (const stream of this.#streams) this.#sendBookmark(stream);
  }

  /** Sends text as it is to every watch, such as half a line. */
  sendRaw(text: string): void {
    for (const { response } of this.#streams) response.write(text);
  }

  /** Forgets history and half-read lists: watches that resume and next pages get 410. */
  expire(): void {
    this.#storage.expire();
    this.#pages.clear();
  }

  /** Listens no more and breaks all connections. */
  async refuse(): Promise<void> {
    const closed = new Promise((resolve) => this.#http.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  /** Listens again after `refuse`, on the same port and with the same objects. */
  async accept(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#http.once("error", reject);
      this.#http.listen(this.#port, this.#host, () => {
        this.#http.off("error", reject);
        resolve();
      });
    });
    this.#port = (this.#http.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    if (this.#http.listening) await this.refuse();
    if (this.#folder !== undefined) rmSync(this.#folder, { recursive: true, force: true });
  }

  #take(request: http.IncomingMessage, response: http.ServerResponse): void {
    const pieces: Buffer[] = [];
    request.on("data", (piece: Buffer) => pieces.push(piece));
    request.on("end", () => {
      const { pathname, searchParams } = new URL(request.url ?? "/", "http://fake");
      const body = Buffer.concat(pieces).toString("utf8");
      try {
        this.#answer(
          {
            verb: verbOf(request.method ?? "GET", pathname, searchParams),
            path: decodeURIComponent(pathname),
            query: Object.fromEntries(searchParams),
            contentType: request.headers["content-type"]?.split(";")[0],
            authorization: request.headers.authorization,
            body: body === "" ? undefined : parseJson(body),
          },
          response,
        );
      } catch (error) {
        sendStatus(response, error);
      }
    });
  }

  #answer(request: RequestRecord, response: http.ServerResponse): void {
    if (/^\/(healthz|livez|readyz)$/.test(request.path)) {
      response.end("ok");
      return;
    }
    this.requests.push(request);
    const act = () => {
      try {
        this.#dispatch(request, response);
      } catch (error) {
        sendStatus(response, error);
      }
    };
    const fault = this.#faultFor(request);
    switch (fault?.kind) {
      case undefined:
        act();
        return;
      case "status": {
        const { status, reason = "", message = "Injected fault", retryAfterSeconds } = fault;
        if (retryAfterSeconds !== undefined) response.setHeader("Retry-After", retryAfterSeconds);
        sendStatus(response, new Refused(status, reason, message));
        return;
      }
      case "hang":
        return;
      case "slow":
        setTimeout(act, fault.ms);
        return;
      case "reset":
        response.destroy();
        return;
      case "lose":
        response.destroy();
        act();
        return;
    }
  }

  #faultFor({ verb, path }: RequestRecord): Fault | undefined {
    for (const entry of this.#faults) {
      const { fault } = entry;
      if (fault.verb !== undefined && fault.verb !== verb) continue;
      if (fault.path?.test(path) === false) continue;
      if (--entry.left <= 0) this.#faults.delete(entry);
      return fault;
    }
    return undefined;
  }

  #dispatch(request: RequestRecord, response: http.ServerResponse): void {
    const token = request.authorization?.replace(/^Bearer /, "") ?? "";
    if (this.tokens?.includes(token) === false) {
      throw new Refused(401, "Unauthorized", "Unauthorized");
    }
    if (request.path === "/version") {
      send(response, 200, '{"major":"1","minor":"36"}');
      return;
    }
    const review = this.#review(request);
    if (review !== undefined) {
      send(response, 201, formatJson({ ...request.body, status: review }));
      return;
    }
    const target = targetOf(request.path);
    if (this.absent.has(`${target.plural}.${target.group}`)) throw notServed();
    const collection = this.#storage.collection(target.group, target.plural);
    switch (request.verb) {
      case "get":
        send(response, 200, text(existing(collection, target), collection, target.apiVersion));
        return;
      case "list":
        send(response, 200, this.#list(collection, target, request.query));
        return;
      case "watch":
        this.#watch(collection, target, request.query, response);
        return;
      case "create": {
        const stored = this.#create(collection, target, request.body);
        send(response, 201, text(stored, collection, target.apiVersion));
        return;
      }
      case "update":
      case "patch": {
        const isNew = !collection.objects.has(keyOf(target));
        const stored = this.#write(collection, target, request);
        send(response, isNew ? 201 : 200, text(stored, collection, target.apiVersion));
        return;
      }
      case "delete": {
        const stored = existing(collection, target);
        checkPreconditions(collection, stored, request.body?.preconditions ?? {});
        this.#storage.remove(collection, stored);
        send(response, 200, text(stored, collection, target.apiVersion));
        return;
      }
      case "deletecollection": {
        const matches = matcherOf(collection, request.query);
        for (const stored of inNamespace(collection, target.namespace)) {
          if (matches(stored.object)) this.#storage.remove(collection, stored);
        }
        send(response, 200, formatJson({ kind: "Status", apiVersion: "v1", status: "Success" }));
        return;
      }
    }
  }

  /** The status of what is asked and not kept; undefined: it is no review. */
  #review({ verb, path, body }: RequestRecord): Json {
    if (verb !== "create") return undefined;
    switch (path) {
      case "/apis/authentication.k8s.io/v1/tokenreviews": {
        const username = this.users.get(body.spec.token);
        return username === undefined
          ? { error: "token is unknown" }
          : { authenticated: true, user: { username, groups: ["system:authenticated"] } };
      }
      case "/apis/authorization.k8s.io/v1/subjectaccessreviews":
        return { allowed: this.allowed.has(body.spec.user) };
    }
    return undefined;
  }

  #list(collection: Collection, target: Target, query: RequestRecord["query"]): string {
    const token = query["continue"] ?? "";
    let items: readonly Stored[];
    let version = this.#storage.version;
    if (token === "") {
      const matches = matcherOf(collection, query);
      items = inNamespace(collection, target.namespace).filter(({ object }) => matches(object));
    } else {
      const kept = this.#pages.get(token);
      if (kept === undefined) {
        throw new Refused(410, "Expired", "The provided continue parameter is too old");
      }
      items = kept;
      // Further pages are as the first one, however much was written since.
      version = Number(token.split("-")[0]);
    }
    const limit = Number(query["limit"] ?? 0);
    const page = limit > 0 ? items.slice(0, limit) : items;
    const rest = items.slice(page.length);
    let next = "";
    if (rest.length > 0) {
      next = `${version}-${randomInt(2 ** 47)}`;
      this.#pages.set(next, rest);
    }
    const metadata = {
      resourceVersion: String(version),
      ...(next !== "" && { continue: next, remainingItemCount: rest.length }),
    };
    const texts = page.map((stored) =>
      // The lists of Kubernetes' own kinds do not repeat the kind.
      collection.isBuiltIn ? `{${stored.json}` : text(stored, collection, target.apiVersion),
    );
    return `{"kind":"${collection.kind}List","apiVersion":"${target.apiVersion}","metadata":${JSON.stringify(metadata)},"items":[${texts.join(",")}]}`;
  }

  #watch(
    collection: Collection,
    target: Target,
    query: RequestRecord["query"],
    response: http.ServerResponse,
  ): void {
    const stream: Stream = {
      collection,
      namespace: target.namespace,
      apiVersion: target.apiVersion,
      matches: matcherOf(collection, query),
      wantsBookmarks: query["allowWatchBookmarks"] === "true",
      response,
      held: [],
    };
    response.writeHead(200, { "Content-Type": "application/json" });
    response.flushHeaders();
    const since = Number(query["resourceVersion"] ?? 0);
    if (since === 0) {
      for (const stored of inNamespace(collection, target.namespace)) {
        if (!stream.matches(stored.object)) continue;
        response.write(line("ADDED", text(stored, collection, target.apiVersion)));
      }
    } else if (since < collection.oldestVersion) {
      const message = `too old resource version: ${since} (${this.#storage.version})`;
      response.end(line("ERROR", statusText(new Refused(410, "Expired", message))));
      return;
    } else {
      for (const change of collection.history) {
        if (change.version > since) this.#sendChange(stream, change);
      }
    }
    const seconds = Number(query["timeoutSeconds"] ?? 1800);
    const timer = setTimeout(() => {
      this.#sendBookmark(stream);
      this.#end(stream);
    }, seconds * 1000);
    this.#streams.add(stream);
    response.once("close", () => {
      clearTimeout(timer);
      this.#streams.delete(stream);
    });
  }

  #tell(collection: Collection, change: Change): void {
    for (const stream of this.#streams) {
      if (stream.collection === collection) this.#sendChange(stream, change);
    }
  }

  #sendChange(stream: Stream, { type, stored, previous }: Change): void {
    const { collection, apiVersion, matches, namespace } = stream;
    if (namespace !== undefined && stored.object.metadata.namespace !== namespace) return;
    const was = previous !== undefined && matches(previous.object);
    const is = type !== "DELETED" && matches(stored.object);
    if (!was && !is) return;
    const seen = !was ? "ADDED" : is ? "MODIFIED" : "DELETED";
    this.#sendLine(stream, line(seen, text(stored, collection, apiVersion)));
  }

  #sendBookmark(stream: Stream): void {
    if (!stream.wantsBookmarks) return;
    const { collection, apiVersion } = stream;
    const metadata = { resourceVersion: String(this.#storage.version), creationTimestamp: null };
    const object = JSON.stringify({ kind: collection.kind, apiVersion, metadata });
    this.#sendLine(stream, line("BOOKMARK", object));
  }

  #end(stream: Stream): void {
    this.#streams.delete(stream);
    stream.response.end();
  }

  #sendLine(stream: Stream, text: string): void {
    if (this.#isHolding) stream.held.push(text);
    else stream.response.write(text);
  }

  #create(collection: Collection, target: Target, body: Json): Stored {
    const { apiVersion: _, kind, status, ...object } = body as Json;
    collection.kind ||= kind ?? "";
    const { generateName } = object.metadata ?? {};
    const name = object.metadata?.name ?? (generateName && `${generateName}${randomSuffix()}`);
    if (name === undefined) {
      throw new Refused(
        422,
        "Invalid",
        "metadata.name: Required value: name or generateName is required",
      );
    }
    const metadata = {
      ...object.metadata,
      name,
      ...(target.namespace !== undefined && { namespace: target.namespace }),
    };
    const key = keyOf({ ...target, name });
    if (collection.objects.has(key)) {
      const message = `${resourceOf(collection)} "${name}" already exists`;
      throw new Refused(409, "AlreadyExists", message);
    }
    // Nodes may come with a status; of everything else it is a matter of the subresource.
    const kept = collection.plural === "nodes" && status !== undefined ? { status } : {};
    return this.#storage.set(collection, key, { ...object, ...kept, metadata });
  }

  #write(collection: Collection, target: Target, request: RequestRecord): Stored {
    const { verb, contentType = "", query } = request;
    const isApply = contentType === "application/apply-patch+yaml";
    if (isApply && query["fieldManager"] === undefined) {
      throw new Refused(
        400,
        "BadRequest",
        'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
      );
    }
    if (verb === "patch" && !isApply && !MERGE_PATCHES.includes(contentType)) {
      throw new Refused(
        415,
        "UnsupportedMediaType",
        `the body of the request was in an unknown format - accepted media types include: ${MERGE_PATCHES.join(", ")}`,
      );
    }
    const previous = collection.objects.get(keyOf(target));
    if (previous === undefined && isApply && target.subresource === undefined) {
      const metadata = { ...request.body?.metadata, name: target.name };
      return this.#create(collection, target, { ...request.body, metadata });
    }
    if (previous === undefined) throw notFound(collection, target);
    const { apiVersion: _, kind: _kind, ...body } = request.body as Json;
    checkPreconditions(collection, previous, body.metadata ?? {});
    const asked = (
      verb === "update" ? body : mergePatch(previous.object, body, isApply)
    ) as KubeObject;
    const { name, namespace } = previous.object.metadata;
    const metadata = { ...asked.metadata, name, ...(namespace !== undefined && { namespace }) };
    if (target.subresource === undefined) {
      const { status } = previous.object;
      const { status: __, ...rest } = asked;
      const next = { ...rest, ...(status !== undefined && { status }), metadata };
      return this.#storage.set(collection, previous.key, next);
    }
    // Kubernetes' own kinds take labels and annotations by way of the status too, others do not.
    const next = {
      ...previous.object,
      ...(asked["status"] !== undefined && { status: asked["status"] }),
      ...(collection.isBuiltIn && { metadata }),
    };
    return this.#storage.set(collection, previous.key, next);
  }
}

type Stream = {
  readonly collection: Collection;
  readonly namespace: string | undefined;
  readonly apiVersion: string;
  readonly matches: Matcher;
  readonly wantsBookmarks: boolean;
  readonly response: http.ServerResponse;
  readonly held: string[];
};

type Target = {
  readonly group: string;
  /** As "v1" or "metallb.io/v1beta1". */
  readonly apiVersion: string;
  readonly namespace: string | undefined;
  readonly plural: string;
  readonly name: string | undefined;
  readonly subresource: "status" | undefined;
};

const MERGE_PATCHES = ["application/merge-patch+json", "application/strategic-merge-patch+json"];

/** What is answered instead of what was asked for. */
class Refused extends Error {
  readonly status: number;
  readonly reason: string;

  constructor(status: number, reason: string, message: string) {
    super(message);
    this.status = status;
    this.reason = reason;
  }
}

/** The path of an object. */
export function pathOf(manifest: Manifest): string {
  const { apiVersion, metadata } = manifest;
  const folder = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const namespace = metadata.namespace === undefined ? "" : `/namespaces/${metadata.namespace}`;
  return `${folder}${namespace}/${placeOf(manifest).plural}/${metadata.name}`;
}

function placeOf({ apiVersion, kind, metadata }: Manifest) {
  const group = apiVersion.includes("/") ? (apiVersion.split("/")[0] ?? "") : "";
  const { namespace = "", name } = metadata;
  return { group, plural: pluralOf(kind), key: `${namespace}/${name}` };
}

/** As Kubernetes' kinds and MetalLB's are named: Service, Community, ServiceBGPStatus, Endpoints. */
function pluralOf(kind: string): string {
  const word = kind.toLowerCase();
  if (word === "endpoints") return word;
  if (word.endsWith("s") || word.endsWith("ss")) return `${word}es`;
  return word.endsWith("y") ? `${word.slice(0, -1)}ies` : `${word}s`;
}

function verbOf(method: string, path: string, query: URLSearchParams): Verb {
  const hasName = parsePath(path)?.name !== undefined;
  switch (method) {
    case "GET":
      if (query.get("watch") === "true" || query.get("watch") === "1") return "watch";
      return hasName ? "get" : "list";
    case "POST":
      return "create";
    case "PUT":
      return "update";
    case "PATCH":
      return "patch";
    case "DELETE":
      return hasName ? "delete" : "deletecollection";
    default:
      throw new Refused(405, "MethodNotAllowed", "the server does not allow this method");
  }
}

function targetOf(path: string): Target {
  const target = parsePath(path);
  if (target === undefined) throw notServed();
  return target;
}

function parsePath(path: string): Target | undefined {
  const [, root, ...parts] = path.split("/");
  if (root !== "api" && root !== "apis") return undefined;
  const group = root === "apis" ? parts.shift() : "";
  const version = parts.shift();
  if (group === undefined || version === undefined) return undefined;
  // "namespaces/a" and "namespaces/a/status" are the Namespace itself.
  const isInNamespace = parts[0] === "namespaces" && parts.length > 2 && parts[2] !== "status";
  const namespace = isInNamespace ? parts[1] : undefined;
  const [plural, name, subresource, ...more] = isInNamespace ? parts.slice(2) : parts;
  if (plural === undefined || plural === "" || more.length > 0) return undefined;
  if (subresource !== undefined && subresource !== "status") return undefined;
  const apiVersion = root === "api" ? version : `${group}/${version}`;
  return { group, apiVersion, namespace, plural, name, subresource };
}

function keyOf({ namespace = "", name }: Target): string {
  return `${namespace}/${name}`;
}

function inNamespace({ objects }: Collection, namespace: string | undefined): Stored[] {
  const all = [...objects.values()];
  const chosen =
    namespace === undefined
      ? all
      : all.filter(({ object }) => object.metadata.namespace === namespace);
  return chosen.sort((a, b) => (a.key < b.key ? -1 : 1));
}

function matcherOf({ plural }: Collection, query: RequestRecord["query"]): Matcher {
  const { labelSelector = "", fieldSelector = "" } = query;
  try {
    const byLabels = labelSelector === "" ? () => true : labelMatcher(labelSelector);
    const byFields = fieldSelector === "" ? () => true : fieldMatcher(plural, fieldSelector);
    return (object) => byLabels(object) && byFields(object);
  } catch (error) {
    if (error instanceof BadSelector) throw new Refused(400, "BadRequest", error.message);
    throw error;
  }
}

function existing(collection: Collection, target: Target): Stored {
  const stored = collection.objects.get(keyOf(target));
  if (stored === undefined) throw notFound(collection, target);
  return stored;
}

function checkPreconditions(
  collection: Collection,
  { object }: Stored,
  wanted: { readonly uid?: string; readonly resourceVersion?: string },
): void {
  const { uid, resourceVersion, name } = object.metadata;
  if ((wanted.uid ?? uid) !== uid) {
    const message = `Precondition failed: UID in precondition: ${wanted.uid}, UID in object meta: ${uid}`;
    throw new Refused(409, "Conflict", message);
  }
  // The empty version is any.
  if ((wanted.resourceVersion || resourceVersion) !== resourceVersion) {
    const message = `Operation cannot be fulfilled on ${resourceOf(collection)} "${name}": the object has been modified; please apply your changes to the latest version and try again`;
    throw new Refused(409, "Conflict", message);
  }
}

function resourceOf({ plural, group }: Collection): string {
  return group === "" ? plural : `${plural}.${group}`;
}

function notFound(collection: Collection, { name }: Target): Refused {
  return new Refused(404, "NotFound", `${resourceOf(collection)} "${name}" not found`);
}

function notServed(): Refused {
  return new Refused(404, "NotFound", "the server could not find the requested resource");
}

/** As the server makes names: no vowels, nothing that looks like another. */
function randomSuffix(): string {
  const letters = "bcdfghjklmnpqrstvwxz2456789";
  return Array.from({ length: 5 }, () => letters[randomInt(letters.length)]).join("");
}

function text({ json }: Stored, { kind }: Collection, apiVersion: string): string {
  return `{"kind":"${kind}","apiVersion":"${apiVersion}",${json}`;
}

function line(type: string, object: string): string {
  return `{"type":"${type}","object":${object}}\n`;
}

function send(response: http.ServerResponse, status: number, body: string): void {
  if (response.destroyed) return;
  const headers = {
    "Content-Type": "application/json",
    "Content-Length": Buffer.byteLength(body),
  };
  response.writeHead(status, headers).end(body);
}

function sendStatus(response: http.ServerResponse, error: unknown): void {
  const refused =
    error instanceof Refused
      ? error
      : new Refused(error instanceof SyntaxError ? 400 : 500, "", String(error));
  send(response, refused.status, statusText(refused));
}

function statusText({ status, reason, message }: Refused): string {
  const body = { kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure" };
  return JSON.stringify({ ...body, message, reason, code: status });
}
