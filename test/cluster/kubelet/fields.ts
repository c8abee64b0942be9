// The values that a Pod may ask for about itself, and the environment of its containers.

import type { Json } from "../request.ts";

/** What the API server is asked for: a ConfigMap or Secret, undefined if there is none. */
export type Lookup = (kind: "configmaps" | "secrets", name: string) => Promise<Json | undefined>;

export type Environment = {
  readonly pod: Json;
  readonly hostIPs: readonly string[];
  readonly podIPs: readonly string[];
  /** Where the API server is. */
  readonly api: URL;
  readonly lookup: Lookup;
};

/** The value of a fieldRef, of environment or downwardAPI. */
export function fieldOf({ pod, hostIPs, podIPs }: Environment, path: string): string {
  const keyed = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path);
  if (keyed?.[1] !== undefined) return pod.metadata[keyed[1]]?.[keyed[2] ?? ""] ?? "";
  switch (path) {
    case "metadata.name":
    case "metadata.namespace":
    case "metadata.uid":
      return pod.metadata[path.slice("metadata.".length)];
    case "metadata.labels":
    case "metadata.annotations": {
      const map: Record<string, string> = pod.metadata[path.slice("metadata.".length)] ?? {};
      const lines = Object.entries(map).map(([key, value]) => `${key}=${JSON.stringify(value)}`);
      return lines.join("\n");
    }
    case "spec.nodeName":
    case "spec.serviceAccountName":
      return pod.spec[path.slice("spec.".length)];
    case "status.hostIP":
      return hostIPs[0] ?? "";
    case "status.hostIPs":
      return hostIPs.join();
    case "status.podIP":
      return podIPs[0] ?? "";
    case "status.podIPs":
      return podIPs.join();
    default:
      throw new Error(`Cannot resolve fieldRef ${path}: the double does not know it`);
  }
}

/** The environment of a container: the image's, the cluster's, what its manifest says. */
export async function environmentOf(
  environment: Environment,
  container: Json,
  ofImage: Readonly<Record<string, string>>,
): Promise<ReadonlyMap<string, string>> {
  const { api, pod, lookup } = environment;
  const port = api.port || "443";
  const variables = new Map(Object.entries(ofImage));
  variables.set("HOSTNAME", pod.spec.hostNetwork ? pod.spec.nodeName : pod.metadata.name);
  variables.set("KUBERNETES_SERVICE_HOST", api.hostname.replace(/^\[|\]$/g, ""));
  variables.set("KUBERNETES_SERVICE_PORT", port);
  variables.set("KUBERNETES_SERVICE_PORT_HTTPS", port);
  for (const { prefix = "", configMapRef, secretRef } of container.envFrom ?? []) {
    const reference = configMapRef ?? secretRef;
    const found = await lookup(configMapRef ? "configmaps" : "secrets", reference.name);
    if (found === undefined && !reference.optional)
      throw new Error(`"${reference.name}" not found`);
    for (const [key, value] of Object.entries(textsOf(found))) variables.set(prefix + key, value);
  }
  for (const { name, value, valueFrom } of container.env ?? []) {
    const text = valueFrom
      ? await sourcedValue(environment, valueFrom)
      : expand(value ?? "", variables);
    if (text !== undefined) variables.set(name, text);
  }
  return variables;
}

async function sourcedValue(environment: Environment, source: Json): Promise<string | undefined> {
  if (source.fieldRef) return fieldOf(environment, source.fieldRef.fieldPath);
  const reference = source.configMapKeyRef ?? source.secretKeyRef;
  if (!reference) {
    throw new Error(`Cannot resolve valueFrom ${Object.keys(source)}: the double does not know it`);
  }
  const kind = source.configMapKeyRef ? "configmaps" : "secrets";
  const value = textsOf(await environment.lookup(kind, reference.name))[reference.key];
  if (value !== undefined || reference.optional) return value;
  throw new Error(`couldn't find key ${reference.key} in ${kind} ${reference.name}`);
}

/** The data of a ConfigMap or Secret as text. */
export function textsOf(object: Json | undefined): Record<string, string> {
  if (object === undefined) return {};
  const decode = (value: string) =>
    object.kind === "Secret" ? Buffer.from(value, "base64").toString() : value;
  const data: Record<string, string> = object.data ?? {};
  return Object.fromEntries(Object.entries(data).map(([key, value]) => [key, decode(value)]));
}

/** Puts in the values of $(NAME); $$ is a $, and unknown names stay as they are. */
export function expand(text: string, variables: ReadonlyMap<string, string>): string {
  return text.replace(/\$(\$|\(([^)]+)\))/g, (whole, what: string, name: string) =>
    what === "$" ? "$" : (variables.get(name) ?? whole),
  );
}
