// Reads the part of a containerlab topology that network namespaces can stand in for. Anything it
// does not know is an error: the same file must mean the same network in both worlds.

import { parse } from "yaml";

/** What stands for the container: FRR's daemons, BIRD, a web server, or nothing but its network. */
export type Program = "frr" | "bird" | "web";

export type TopologyNode = {
  readonly name: string;
  readonly runs: Program | undefined;
  /** The node whose network namespace this one shares. */
  readonly sharesWith: string | undefined;
  /** Kernel settings below `net.`, by dotted name. */
  readonly sysctls: Readonly<Record<string, number>>;
  readonly files: readonly BoundFile[];
  /** Arguments of ip(8), run in this order once every link is there and up. */
  readonly ipCommands: readonly string[];
};

/** `source` is relative to the topology file, `target` a path inside the container. */
export type BoundFile = { readonly source: string; readonly target: string };

export type LinkEnd = { readonly node: string; readonly interfaceName: string };

export type Topology = {
  readonly name: string;
  readonly nodes: readonly TopologyNode[];
  readonly links: readonly (readonly [LinkEnd, LinkEnd])[];
};

/** Reads the text of a topology file; throws an Error that names the node and the key. */
export function parseTopology(text: string): Topology {
  const file = fields(parseYaml(text), "the file", ["name", "topology"]);
  const topology = fields(file["topology"], "topology", ["defaults", "nodes", "links"]);
  const defaults = fields(topology["defaults"] ?? {}, "defaults", ["kind"]);
  const nodes = Object.entries(record(topology["nodes"], "nodes")).map(([name, node]) =>
    parseNode(name, node, defaults["kind"]),
  );
  const known = new Map(nodes.map((node) => [node.name, node]));
  for (const { name, sharesWith } of nodes) {
    if (sharesWith !== undefined && known.get(sharesWith)?.sharesWith !== undefined) {
      throw wrong(`node ${name}`, `network-mode container:${sharesWith}`, "a node with a network");
    }
    if (sharesWith !== undefined && !known.has(sharesWith)) {
      throw wrong(`node ${name}`, `network-mode container:${sharesWith}`, "a node of this file");
    }
  }
  const links = list(topology["links"] ?? [], "links").map(parseLink);
  for (const { node } of links.flat()) {
    if (known.has(node) && known.get(node)?.sharesWith === undefined) continue;
    throw wrong("links", node, "a node of this file with a network of its own");
  }
  return { name: words(file["name"], "name"), nodes, links };
}

function parseYaml(text: string): unknown {
  try {
    return parse(text);
  } catch (cause) {
    throw new Error(`Cannot read the topology: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
  }
}

const NODE_KEYS = [
  ...["kind", "image", "cmd", "labels"],
  ...["network-mode", "sysctls", "binds", "exec"],
] as const;

function parseNode(name: string, value: unknown, defaultKind: unknown): TopologyNode {
  const what = `node ${name}`;
  const node = fields(value, what, NODE_KEYS);
  const kind = node["kind"] ?? defaultKind;
  if (kind !== "linux") throw wrong(what, `kind ${kind}`, "linux");
  const labels = fields(node["labels"] ?? {}, `labels of ${what}`, ["runs"]);
  const mode = node["network-mode"];
  return {
    name,
    runs: parseProgram(labels["runs"], what),
    sharesWith: mode === undefined ? undefined : parseNetworkMode(mode, what),
    sysctls: parseSysctls(node["sysctls"] ?? {}, what),
    files: list(node["binds"] ?? [], `binds of ${what}`).map((bind) => parseBind(bind, what)),
    ipCommands: list(node["exec"] ?? [], `exec of ${what}`).map((line) => parseExec(line, what)),
  };
}

function parseProgram(value: unknown, what: string): Program | undefined {
  switch (value) {
    case undefined:
    case "frr":
    case "bird":
    case "web":
      return value;
    default:
      throw wrong(what, `label runs ${value}`, "frr, bird or web");
  }
}

function parseNetworkMode(value: unknown, what: string): string {
  const match = /^container:(\S+)$/.exec(words(value, `network-mode of ${what}`));
  if (match?.[1] === undefined) throw wrong(what, `network-mode ${value}`, "container:NODE");
  return match[1];
}

function parseSysctls(value: unknown, what: string): Readonly<Record<string, number>> {
  const sysctls: Record<string, number> = {};
  for (const [key, setting] of Object.entries(record(value, `sysctls of ${what}`))) {
    if (!/^net(\.\w+)+$/.test(key) || !Number.isInteger(setting)) {
      throw wrong(what, `sysctl ${key}: ${setting}`, "a number below net.");
    }
    sysctls[key] = setting as number;
  }
  return sysctls;
}

function parseBind(value: unknown, what: string): BoundFile {
  const match = /^([^:]+):(\/[^:]+)$/.exec(words(value, `binds of ${what}`));
  const [, source, target] = match ?? [];
  if (source === undefined || target === undefined || target.split("/").includes("..")) {
    throw wrong(what, `bind ${value}`, "SOURCE:/TARGET");
  }
  return { source, target };
}

function parseExec(value: unknown, what: string): string {
  const match = /^ip ([\w ./:]+)$/.exec(words(value, `exec of ${what}`));
  if (match?.[1] === undefined)
    throw wrong(what, `exec ${value}`, "a command of ip without quotes");
  return match[1];
}

function parseLink(value: unknown): readonly [LinkEnd, LinkEnd] {
  const { endpoints } = fields(value, "links", ["endpoints"]);
  const [one, other, ...more] = list(endpoints, "endpoints").map((endpoint) => {
    const match = /^([^:\s]+):(eth[1-9]\d*)$/.exec(words(endpoint, "endpoints"));
    const [, node, interfaceName] = match ?? [];
    if (node === undefined || interfaceName === undefined) {
      throw wrong("links", String(endpoint), "NODE:ethN with N from 1");
    }
    return { node, interfaceName };
  });
  if (one === undefined || other === undefined || more.length > 0) {
    throw wrong("links", JSON.stringify(endpoints), "two endpoints");
  }
  return [one, other];
}

function fields(value: unknown, what: string, known: readonly string[]): Record<string, unknown> {
  const object = record(value, what);
  for (const key of Object.keys(object)) {
    if (!known.includes(key)) throw wrong(what, `key ${key}`, `one of ${known.join(", ")}`);
  }
  return object;
}

function record(value: unknown, what: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw wrong(what, JSON.stringify(value), "a mapping");
  }
  return value as Record<string, unknown>;
}

function list(value: unknown, what: string): readonly unknown[] {
  if (!Array.isArray(value)) throw wrong(what, JSON.stringify(value), "a list");
  return value;
}

function words(value: unknown, what: string): string {
  if (typeof value !== "string" || value === "") {
    throw wrong(what, JSON.stringify(value), "a text");
  }
  return value;
}

function wrong(what: string, seen: string, wanted: string): Error {
  return new Error(`Cannot read the topology: ${what} has ${seen}, want ${wanted}`);
}
