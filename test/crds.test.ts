// crds/ without an API server: in step with src/config/resources.ts, every sample valid, and
// src/config of the same opinion as the schemas. What CEL says is in cluster/crds.test.ts.

import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, it } from "node:test";
import { fileURLToPath } from "node:url";
import { Ajv, type ValidateFunction } from "ajv";
import { parseAllDocuments } from "yaml";
import { type ConfigResources, type NodeFacts, parseConfig } from "../src/config/config.ts";
import type { Problem } from "../src/config/problem.ts";
import type {
  BFDProfileResource,
  BGPAdvertisementResource,
  BGPPeerResource,
  CommunityResource,
  IPAddressPoolResource,
  L2AdvertisementResource,
  LabelSelectorResource,
} from "../src/config/resources.ts";
import { type Kind, objectOf, RULES } from "./crd-rules.ts";
import { guidesIn, manifestsIn } from "./guide-manifests.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** As far as these tests look into a schema. */
type Schema = {
  readonly type?: string;
  readonly description?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly additionalProperties?: Schema | boolean;
  readonly "x-kubernetes-validations"?: readonly {
    readonly message?: string;
    readonly messageExpression?: string;
  }[];
};

type Definition = {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: { readonly kind: string; readonly plural: string };
    readonly versions: readonly {
      readonly name: string;
      readonly schema: { readonly openAPIV3Schema: Schema };
    }[];
  };
};

// biome-ignore lint/suspicious/noExplicitAny: whatever a sample holds; schema and parser judge it
type Document = any;

function documentsIn(file: string): readonly Document[] {
  return parseAllDocuments(readFileSync(file, "utf8")).map((document) => {
    assert.deepEqual(document.errors, [], file);
    return document.toJS();
  });
}

const files = globSync(`${ROOT}/crds/*.yaml`).sort();
const definitions = new Map(
  files.map((file): readonly [string, Definition] => {
    const [definition] = documentsIn(file);
    return [definition.spec.names.kind, definition];
  }),
);

function schemaOf(kind: string, version?: string): Schema {
  const versions = definitions.get(kind)?.spec.versions ?? [];
  const found = versions.find(({ name }) => version === undefined || name === version);
  assert.ok(found, `${kind} ${version}`);
  return found.schema.openAPIV3Schema;
}

/** Paths of all fields below the schema, with [] for the items of a list. */
function pathsOf(schema: Schema, path: string): readonly string[] {
  if (schema.items !== undefined) return pathsOf(schema.items, `${path}[]`);
  if (schema.properties === undefined) return [path];
  return Object.entries(schema.properties).flatMap(([name, field]) =>
    pathsOf(field, `${path}.${name}`),
  );
}

/** Paths of all fields of an object, as `pathsOf` writes them; labels are one field. */
function fieldsOf(value: unknown, path: string): readonly string[] {
  if (Array.isArray(value)) return [...new Set(value.flatMap((i) => fieldsOf(i, `${path}[]`)))];
  if (typeof value !== "object" || value === null || path.endsWith(".matchLabels")) return [path];
  return Object.entries(value).flatMap(([name, field]) => fieldsOf(field, `${path}.${name}`));
}

/** A type with nothing left out: tsc refuses a value that lacks a field, or has one too many. */
type Complete<Value> = Value extends readonly (infer Item)[]
  ? readonly Complete<Item>[]
  : Value extends object
    ? { readonly [Field in keyof Value]-?: Complete<Value[Field]> }
    : Value;

type Body<Resource> = Complete<Omit<Resource, "apiVersion" | "kind" | "metadata">>;

const SELECTORS: readonly Complete<LabelSelectorResource>[] = [
  { matchLabels: { a: "b" }, matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] },
];

const COMPLETE: {
  readonly BFDProfile: Body<BFDProfileResource>;
  readonly BGPAdvertisement: Body<BGPAdvertisementResource>;
  readonly BGPPeer: Body<BGPPeerResource>;
  readonly Community: Body<CommunityResource>;
  readonly IPAddressPool: Body<IPAddressPoolResource>;
  readonly L2Advertisement: Body<L2AdvertisementResource>;
} = {
  BFDProfile: {
    spec: {
      receiveInterval: 300,
      transmitInterval: "300ms",
      echoInterval: 50,
      detectMultiplier: 3,
      echoMode: true,
      passiveMode: true,
      minimumTtl: 254,
    },
  },
  BGPAdvertisement: {
    spec: {
      aggregationLength: 32,
      aggregationLengthV6: 128,
      localPref: 100,
      communities: ["64500:1"],
      ipAddressPools: ["p"],
      ipAddressPoolSelectors: SELECTORS,
      nodeSelectors: SELECTORS,
      serviceSelectors: SELECTORS,
      peers: ["leaf1"],
    },
  },
  BGPPeer: {
    spec: {
      myASN: 64500,
      peerASN: 64501,
      localASN: 64502,
      dynamicASN: "external",
      peerAddress: "192.0.2.1",
      interface: "eth1",
      sourceAddress: "192.0.2.2",
      peerPort: 179,
      holdTime: "90s",
      keepaliveTime: "30s",
      connectTime: "10s",
      routerID: "192.0.2.9",
      nodeSelectors: SELECTORS,
      password: "x",
      passwordSecret: { name: "leaf1", namespace: "metallb-system" },
      bfdProfile: "fast",
      enableGracefulRestart: true,
      ebgpMultiHop: true,
      vrf: "red",
      disableMP: false,
      dualStackAddressFamily: true,
    },
  },
  Community: { spec: { communities: [{ name: "a", value: "1:2" }] } },
  IPAddressPool: {
    spec: {
      addresses: ["192.0.2.0/24"],
      autoAssign: true,
      avoidBuggyIPs: false,
      serviceAllocation: {
        priority: 1,
        namespaces: ["a"],
        namespaceSelectors: SELECTORS,
        serviceSelectors: SELECTORS,
      },
    },
    status: { assignedIPv4: 1, assignedIPv6: 2, availableIPv4: 3, availableIPv6: 4 },
  },
  L2Advertisement: {
    spec: {
      ipAddressPools: ["p"],
      ipAddressPoolSelectors: SELECTORS,
      nodeSelectors: SELECTORS,
      serviceSelectors: SELECTORS,
      interfaces: ["eth1"],
      preferredNodeSelectors: SELECTORS.map((preference) => ({ weight: 1, preference })),
      failbackDelay: "30s",
    },
  },
};

/** The schema with every object closed, so that a misspelt field is not just dropped. */
function closed(schema: Schema): Schema {
  const { properties, items } = schema;
  return {
    ...schema,
    ...(items && { items: closed(items) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([name, field]) => [name, closed(field)]),
      ),
      additionalProperties: false,
    }),
  };
}

const ajv = new Ajv({ strict: false, allErrors: true });
for (const integer of ["int32", "int64"])
  ajv.addFormat(integer, { type: "number", validate: Number.isInteger });
ajv.addFormat("date-time", (text) => !Number.isNaN(Date.parse(text)));

const validators = new Map<string, ValidateFunction>();
for (const { spec } of definitions.values()) {
  for (const { name, schema } of spec.versions) {
    const key = `${spec.group}/${name} ${spec.names.kind}`;
    validators.set(key, ajv.compile(closed(schema.openAPIV3Schema)));
  }
}

function assertValid(document: Document): void {
  const validate = validators.get(`${document.apiVersion} ${document.kind}`);
  assert.ok(validate, `${document.apiVersion} ${document.kind}`);
  assert.ok(validate(document), ajv.errorsText(validate.errors));
}

const LISTS: Readonly<Record<Kind | "Secret" | "Namespace", keyof ConfigResources>> = {
  BFDProfile: "bfdProfiles",
  BGPAdvertisement: "bgpAdvertisements",
  BGPPeer: "peers",
  Community: "communities",
  IPAddressPool: "pools",
  L2Advertisement: "l2Advertisements",
  Namespace: "namespaces",
  Secret: "secrets",
};

/** What src/config has against the objects, all together. */
function problemsOf(documents: readonly Document[], node?: NodeFacts): readonly Problem[] {
  const resources: Record<string, Document> = { extras: "" };
  for (const [kind, list] of Object.entries(LISTS)) {
    resources[list] = documents.filter((document) => document.kind === kind);
  }
  const options = { node, accepted: new Map() };
  return parseConfig(resources as ConfigResources, options).problems;
}

describe("crds/", () => {
  it("holds one file for each kind, named after it", () => {
    assert.equal(definitions.size, files.length);
    assert.equal(definitions.size, 9);
    for (const file of files) {
      const [{ metadata, spec }] = documentsIn(file);
      assert.equal(basename(file), `${spec.group}_${spec.names.plural}.yaml`);
      assert.equal(metadata.name, `${spec.names.plural}.${spec.group}`);
    }
  });

  it("gives both versions of BGPPeer one schema", () => {
    assert.deepEqual(schemaOf("BGPPeer", "v1beta1"), schemaOf("BGPPeer", "v1beta2"));
  });

  it("describes every field, and gives every rule a message", () => {
    const check = (schema: Schema, path: string): void => {
      for (const { message, messageExpression } of schema["x-kubernetes-validations"] ?? []) {
        assert.match(message ?? messageExpression ?? "", /^'?Cannot .*[^.]$/s, path);
      }
      if (schema.items !== undefined) check(schema.items, `${path}[]`);
      for (const [name, field] of Object.entries(schema.properties ?? {})) {
        const at = `${path}.${name}`;
        const depth = at.split(".").length;
        assert.ok(depth === 2 || field.description, `${at} has no description`);
        check(field, at);
      }
    };
    for (const kind of definitions.keys()) check(schemaOf(kind), kind);
  });

  for (const [kind, { spec, ...rest }] of Object.entries(COMPLETE)) {
    it(`has the fields of ${kind} that src/config/resources.ts has`, () => {
      const { spec: specSchema, status } = schemaOf(kind).properties ?? {};
      assert.ok(specSchema && status);
      assert.deepEqual(
        [...new Set(fieldsOf(spec, "spec"))].sort(),
        [...pathsOf(specSchema, "spec")].sort(),
      );
      // Conditions are written, never read.
      const read = pathsOf(status, "status").filter((path) => !path.includes(".conditions[]"));
      const body = "status" in rest ? rest.status : {};
      assert.deepEqual(
        Object.keys(body)
          .map((field) => `status.${field}`)
          .sort(),
        read.sort(),
      );
    });
  }
});

describe("config/samples/", () => {
  const samples = globSync(`${ROOT}/config/samples/**/*.yaml`).sort();
  it("is not empty", () => assert.ok(samples.length > 7));
  for (const file of samples) {
    it(`${file.slice(ROOT.length)} is valid for the schema and for src/config`, () => {
      const documents = documentsIn(file);
      assert.ok(documents.length > 0);
      for (const document of documents) {
        if (document.apiVersion.startsWith("metallb.io/")) assertValid(document);
      }
      assert.deepEqual(problemsOf(documents), []);
    });
  }
});

describe("docs/", () => {
  /** A node that the guides' selectors mean. */
  const NODE: NodeFacts = {
    name: "worker-1",
    labels: { "kubernetes.io/hostname": "worker-1", "topology.kubernetes.io/zone": "rack-1" },
  };
  for (const file of guidesIn(`${ROOT}/docs`)) {
    const blocks = manifestsIn(file);
    it(`${file.slice(ROOT.length)} holds manifests that are accepted one after another`, () => {
      // As `kubectl apply` does, a later one replaces an earlier one of its name.
      const applied = new Map<string, Document>();
      for (const block of blocks) {
        for (const document of parseAllDocuments(block).map((one) => one.toJS())) {
          if (document.apiVersion.startsWith("metallb.io/")) assertValid(document);
          applied.set(`${document.kind} ${document.metadata?.name}`, asServed(document));
        }
        for (const node of [undefined, NODE]) {
          assert.deepEqual(problemsOf([...applied.values()], node), [], block);
        }
      }
    });
  }

  /** The API server keeps the stringData of a Secret as data. */
  function asServed(document: Document): Document {
    const { stringData = {}, ...rest } = document;
    if (document.kind !== "Secret") return document;
    const data = Object.entries(stringData).map(([key, text]) => [key, btoa(String(text))]);
    return { ...rest, data: Object.fromEntries(data) };
  }
});

describe("parseConfig() and the schemas", () => {
  for (const rule of RULES) {
    it(`agree about ${rule.kind} with ${rule.what}`, () => {
      const valid = objectOf(rule, "valid");
      assertValid(valid);
      const lasting = problemsOf([valid]).filter((problem) => !problem.transient);
      assert.deepEqual(lasting, []);
      const problems = problemsOf([objectOf(rule, "invalid")]);
      assert.equal(problems.length > 0, rule.parserAccepts === undefined, rule.parserAccepts);
    });
  }
});
