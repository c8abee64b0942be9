// From MetalLB's own release, really running, to ours and back, on a real API server: what becomes of
// definitions, webhooks, Services and statuses. docs/migrate.md says the same steps.

import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import { METALLB, NAMESPACE, ProgramStand, SYSTEM } from "../migration/program-stand.ts";
import type { Json } from "./request.ts";

const CRDS = fileURLToPath(new URL("../../crds/", import.meta.url));
const BGPPEERS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/bgppeers.metallb.io";
const WEBHOOKS =
  "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/metallb-webhook-configuration";
const CONFIGURATION = [
  ...["ipaddresspools", "bgpadvertisements", "l2advertisements", "communities", "bfdprofiles"].map(
    (plural) => `${METALLB}/${plural}`,
  ),
  `/apis/metallb.io/v1beta2/namespaces/${NAMESPACE}/bgppeers`,
];
/** Two of the Layer 2 Services have several addresses or one: each has one owner. */
const L2_SERVICES = ["dual", "local", "only-ipv6"];
/** The pool of its namespace has no endpoints behind it: nobody announces it. */
const BGP_SERVICES = [
  "asked-by-field",
  "asked-by-old-annotation",
  "plain",
  "shared-tcp",
  "shared-udp",
];

describe("migration from MetalLB on a real API server", () => {
  let stand: ProgramStand;
  let servicesOfMetallb: Map<string, Json>;
  let memberlist: string;

  const services = async (): Promise<Map<string, Json>> => {
    const items = await stand.list("/api/v1/services");
    const balanced = items.filter(({ spec }) => spec.type === "LoadBalancer");
    return new Map(
      balanced.map((service): [string, Json] => [service.metadata.name, service] as const),
    );
  };
  const specs = async () => {
    const lists = await Promise.all(CONFIGURATION.map((path) => stand.list(path)));
    const entries = lists
      .flat()
      .map(({ kind, metadata, spec }) => [`${kind}/${metadata.name}`, spec]);
    return Object.fromEntries(entries) as Json;
  };
  /** Name, node and owner of each status object of the kind, sorted. */
  const statuses = async (plural: string): Promise<readonly string[]> => {
    const items = await stand.list(`${METALLB}/${plural}`);
    return items
      .map(({ metadata, status }) => {
        const name = status?.serviceName ?? metadata.name;
        const owners = (metadata.ownerReferences ?? []).map((owner: Json) => owner.name);
        return [name, status?.node, owners.join("+")].filter(Boolean).join(" ");
      })
      .sort();
  };
  /** Waits until every status is there, once, and owned by programs of that side. */
  const untilStatuses = async (owner: "metallb" | "ours") => {
    const owned = (texts: readonly string[]) =>
      texts.every((text) => new RegExp(` \\w+-${owner}-\\w+$`).test(text));
    const names = (texts: readonly string[]) => texts.map((text) => text.split(" ")[0] ?? "");
    const nodes = stand.nodes.map(({ name }) => name);
    await stand.until(`ServiceBGPStatuses of ${owner}`, async () => {
      const seen = await statuses("servicebgpstatuses");
      const wanted = BGP_SERVICES.flatMap((service) => nodes.map((node) => `${service} ${node}`));
      return (
        owned(seen) &&
        seen.map((text) => text.split(" ").slice(0, 2).join(" ")).join() === wanted.join()
      );
    });
    await stand.until(`ServiceL2Statuses of ${owner}`, async () => {
      const seen = await statuses("servicel2statuses");
      return owned(seen) && names(seen).join() === L2_SERVICES.join();
    });
    await stand.until(`ConfigurationStates of ${owner}`, async () => {
      const seen = await statuses("configurationstates");
      const wanted = ["controller", ...nodes.map((node) => `speaker-${node}`)];
      return owned(seen) && names(seen).join() === wanted.join();
    });
    for (const { metadata, status } of await stand.list(`${METALLB}/configurationstates`)) {
      assert.equal(status.result, "Valid", `${metadata.name}: ${status.errorSummary}`);
    }
  };
  const ingress = (service: Json | undefined): string =>
    (service?.status.loadBalancer?.ingress ?? []).map(({ ip }: Json) => ip).join();
  /** All but what a write of the status changes anyway. */
  const rest = ({ metadata, spec, status }: Json = {}): Json => ({
    spec,
    loadBalancer: status.loadBalancer,
    labels: metadata.labels,
    annotations: metadata.annotations,
    finalizers: metadata.finalizers,
    generation: metadata.generation,
  });
  const untilCondition = () =>
    stand.until("our condition on every Service", async () => {
      const all = await services();
      return [...all.values()].every(({ status }) =>
        (status.conditions ?? []).some(
          ({ type, status }: Json) => type === "metallb.io/AddressAllocated" && status === "True",
        ),
      );
    });
  /** The name of a Service for each change of one since that version of the list. */
  const eventsSince = async (resourceVersion: string): Promise<string[]> => {
    const query = `watch=1&timeoutSeconds=1&resourceVersion=${resourceVersion}`;
    const text = await stand.kubectl(["get", "--raw", `/api/v1/services?${query}`]);
    const lines = text.split("\n").filter((line) => line !== "");
    return lines.map((line) => JSON.parse(line).object.metadata.name);
  };
  const label = (text: string) =>
    stand.kubectl(["label", "ipaddresspool", "-n", NAMESPACE, "routed", text, "--overwrite"]);
  const serverSideApply = () =>
    stand.kubectl(["apply", "--server-side", "--force-conflicts", "-f", CRDS]);

  before(async () => {
    stand = await ProgramStand.start();
    await stand.startController("metallb");
    await stand.startSpeakers("metallb");
    await stand.apply("config.yaml");
    await stand.apply("services.yaml");
  });
  after(() => stand?.stop());

  test("the definitions lack no field and no version of MetalLB's", async () => {
    const theirs = await fieldsIn(stand.release.crds);
    const ours = await fieldsIn(CRDS);
    assert.ok(theirs.size > 200, `${theirs.size}`);
    assert.deepEqual(
      [...theirs].filter((field) => !ours.has(field)),
      [],
    );
  });

  test("MetalLB runs: addresses, sessions, statuses", async () => {
    servicesOfMetallb = await stand.until("an address for every Service", async () => {
      const all = await services();
      return all.size === 9 && [...all.values()].every((service) => ingress(service)) && all;
    });
    assert.equal(ingress(servicesOfMetallb.get("asked-by-old-annotation")), "203.0.113.77");
    assert.equal(ingress(servicesOfMetallb.get("from-the-pool-of-its-namespace")), "203.0.113.200");
    await stand.untilRoutes(`${ingress(servicesOfMetallb.get("plain"))}/32`);
    await untilStatuses("metallb");
    memberlist = (await stand.get(`${SYSTEM}/secrets/memberlist`))?.data.secretkey;
  });

  test("server-side apply of the definitions is refused while bgppeers is converted by a webhook", async () => {
    await assert.rejects(
      serverSideApply(),
      /bgppeers.*should not be set when strategy is not set/s,
    );
    await assert.rejects(serverSideApply(), /webhookClientConfig: Forbidden/);
  });

  test("the definitions are replaced in place, under the running MetalLB, and no field is lost", async () => {
    const before = await specs();
    const patch = '{"spec":{"conversion":{"strategy":"None","webhook":null}}}';
    await stand.kubectl(["patch", "crd", "bgppeers.metallb.io", "--type=merge", "-p", patch]);
    await serverSideApply();
    const { spec, status } = (await stand.get(BGPPEERS)) ?? {};
    assert.deepEqual(spec.conversion, { strategy: "None" });
    assert.deepEqual(status.storedVersions, ["v1beta2"]);
    assert.deepEqual(await specs(), before);
    // Written through the webhook: MetalLB stores timers that nobody asked for.
    assert.equal(before["BGPPeer/leaf2"].holdTime, "0s");
    assert.deepEqual(await services(), servicesOfMetallb);
  });

  test("without its webhooks and with our definitions MetalLB goes on", async () => {
    const webhooks = await stand.get(WEBHOOKS);
    await stand.kubectl([
      "delete",
      "validatingwebhookconfiguration",
      "metallb-webhook-configuration",
    ]);
    const late = { apiVersion: "v1", kind: "Service", metadata: { name: "late" } };
    const spec = { type: "LoadBalancer", ports: [{ port: 80 }], selector: { app: "web" } };
    await stand.kubectl(["apply", "-f", "-"], JSON.stringify({ ...late, spec }));
    await stand.until("an address of MetalLB for a new Service", async () =>
      ingress((await services()).get("late")),
    );
    await stand.kubectl(["delete", "service", "late"]);
    await label("migrated=soon");
    assert(webhooks !== undefined);
    // As it was, for the next test.
    const { metadata, ...rest } = webhooks;
    const { name } = metadata;
    await stand.kubectl(["create", "-f", "-"], JSON.stringify({ ...rest, metadata: { name } }));
  });

  test("left behind, its webhooks refuse every write once its controller is gone", async () => {
    await stand.stopController("metallb");
    await stand.until("a write to be refused", () =>
      label("migrated=no").then(
        () => false,
        (error: Error) => error.message.includes("failed calling webhook"),
      ),
    );
    await stand.kubectl([
      "delete",
      "validatingwebhookconfiguration",
      "metallb-webhook-configuration",
    ]);
    await stand.until("a write to be taken", async () => {
      await label("migrated=yes");
      return true;
    });
  });

  test("the schemas take every object of MetalLB as a new one", async () => {
    const objects = (await Promise.all(CONFIGURATION.map((path) => stand.list(path)))).flat();
    const copies = objects.map(({ apiVersion, kind, metadata, spec }) => {
      const { name, namespace } = metadata;
      return JSON.stringify({
        apiVersion,
        kind,
        metadata: { name: `check-${name}`, namespace },
        spec,
      });
    });
    const said = await stand.kubectl(["create", "--dry-run=server", "-f", "-"], copies.join("\n"));
    assert.equal(said.trim().split("\n").length, objects.length);
  });

  test("our controller takes each Service over by one write, which adds its condition", async () => {
    const { metadata } = await stand.cluster.request("GET", "/api/v1/services");
    await stand.startController("ours");
    await untilCondition();
    const events = await eventsSince(metadata.resourceVersion);
    assert.deepEqual(events.sort(), [...servicesOfMetallb.keys()].sort());
    for (const [name, service] of await services()) {
      assert.deepEqual(rest(service), rest(servicesOfMetallb.get(name)), name);
    }
    assert.equal((await stand.get(`${SYSTEM}/secrets/memberlist`))?.data.secretkey, memberlist);
  });

  test("our speakers take over: routes are back, one status each, none of MetalLB's is left", async () => {
    await stand.stopSpeakers("metallb");
    await stand.startSpeakers("ours");
    await stand.untilRoutes(`${ingress(servicesOfMetallb.get("plain"))}/32`);
    await stand.untilRoutes(`${ingress(servicesOfMetallb.get("shared-tcp"))}/32`);
    await untilStatuses("ours");
    for (const [name, service] of await services()) {
      assert.deepEqual(rest(service), rest(servicesOfMetallb.get(name)), name);
    }
  });

  test("the way back: MetalLB's manifest over it, and every address stays", async () => {
    await stand.stopSpeakers("ours");
    await stand.stopController("ours");
    await stand.kubectl(["apply", "-f", stand.release.manifest]);
    assert.equal((await stand.get(BGPPEERS))?.spec.conversion.strategy, "Webhook");
    const { metadata } = await stand.cluster.request("GET", "/api/v1/services");
    await stand.startController("metallb");
    await stand.startSpeakers("metallb");
    await stand.untilRoutes(`${ingress(servicesOfMetallb.get("plain"))}/32`);
    await untilStatuses("metallb");
    await stand.apply("config.yaml");
    assert.deepEqual(await eventsSince(metadata.resourceVersion), []);
    for (const [name, service] of await services()) {
      assert.deepEqual(rest(service), rest(servicesOfMetallb.get(name)), name);
    }
  });
});

/** "KIND VERSION .spec.field" of every field in the definitions of a folder. */
async function fieldsIn(folder: string): Promise<ReadonlySet<string>> {
  const fields = new Set<string>();
  const collect = (where: string, schema: Json) => {
    fields.add(where);
    for (const [name, field] of Object.entries<Json>(schema.properties ?? {})) {
      collect(`${where}.${name}`, field);
    }
    if (schema.items) collect(`${where}[]`, schema.items);
  };
  for (const name of await readdir(folder)) {
    const { spec } = parse(await readFile(join(folder, name), "utf8"));
    for (const version of spec.versions) {
      collect(`${spec.names.kind} ${version.name} `, version.schema.openAPIV3Schema);
    }
  }
  return fields;
}
