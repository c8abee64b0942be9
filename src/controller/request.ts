// What a Service asks for: families, addresses, pool, ports and sharing keys, read from its spec
// and annotations by MetalLB's rules. Pure; decides nothing.

import type { ServiceResource } from "../config/resources.ts";
import { type Address, type Family, familyOf, parseAddress } from "../net/address.ts";
import type { Requester, ServiceKey } from "./allocation.ts";

const PREFIX = "metallb.io/";
const DEPRECATED_PREFIX = "metallb.universe.tf/";

/** Output only: the pool the addresses come from; never read back as a request. */
export const POOL_ANNOTATION = "metallb.io/ip-allocated-from-pool";

export type AddressList =
  | { readonly kind: "none" }
  | { readonly kind: "addresses"; readonly addresses: readonly Address[] }
  | { readonly kind: "invalid"; readonly message: string };

/** The pool the user asks for; "": none. */
export function requestedPool(service: ServiceResource): string {
  return annotation(service, "address-pool");
}

/** The addresses the user asks for, by annotation or by `spec.loadBalancerIP`. */
export function requestedAddresses(service: ServiceResource): AddressList {
  const listed = annotation(service, "loadBalancerIPs");
  const single = service.spec.loadBalancerIP ?? "";
  if (listed === "" && single === "") return { kind: "none" };
  if (listed !== "" && single !== "") {
    return invalid(
      `service has both spec.loadBalancerIP "${single}" and annotation ${PREFIX}loadBalancerIPs "${listed}": want one of them`,
    );
  }
  const addresses: Address[] = [];
  for (const text of listed === "" ? [single] : listed.split(",")) {
    const address = parseAddress(text.trim());
    if (address === undefined) return invalid(`Cannot parse requested IP "${text.trim()}"`);
    addresses.push(address);
  }
  if (new Set(addresses.map(familyOf)).size !== addresses.length) {
    return invalid(
      `Cannot use requested IPs "${addresses.join(",")}": want one, or one of each family`,
    );
  }
  return { kind: "addresses", addresses };
}

/** The cluster IPs, one or one of each family. */
export function clusterAddresses(service: ServiceResource): AddressList {
  const { clusterIPs, clusterIP } = service.spec;
  const texts = clusterIPs?.length ? clusterIPs : clusterIP ? [clusterIP] : [];
  if (texts.length === 0) return { kind: "none" };
  const addresses = texts.flatMap((text) => parseAddress(text) ?? []);
  const families = new Set(addresses.map(familyOf));
  if (addresses.length !== texts.length || families.size !== texts.length) {
    return invalid(`Cannot use cluster IPs "${texts.join(",")}": want one, or one of each family`);
  }
  return { kind: "addresses", addresses };
}

/** The addresses in the status; entries that have only a host name are passed over. */
export function statusAddresses(service: ServiceResource): AddressList {
  const texts = new Set(
    (service.status?.loadBalancer?.ingress ?? []).flatMap(({ ip }) => (ip ? [ip] : [])),
  );
  if (texts.size === 0) return { kind: "none" };
  const addresses = [...texts].flatMap((text) => parseAddress(text) ?? []);
  const families = new Set(addresses.map(familyOf));
  if (addresses.length !== texts.size || families.size !== texts.size) {
    return invalid(
      `Cannot use status IPs "${[...texts].join(",")}": want one, or one of each family`,
    );
  }
  return { kind: "addresses", addresses };
}

/** True when the first of `spec.ipFamilies` says so. */
export function primaryFamily(service: ServiceResource): Family {
  return service.spec.ipFamilies?.[0] === "IPv6" ? "ipv6" : "ipv4";
}

/** The Service in the words of the allocation rules. */
export function requesterOf(key: ServiceKey, service: ServiceResource): Requester {
  return {
    key,
    namespace: service.metadata.namespace ?? "",
    labels: service.metadata.labels,
    ports: (service.spec.ports ?? []).map(
      ({ protocol, port }) => `${(protocol ?? "TCP").toLowerCase()}/${port}`,
    ),
    sharingKey: annotation(service, "allow-shared-ip"),
    backendKey: backendKey(service),
  };
}

/** The annotations of the Service under MetalLB's old domain. */
export function deprecatedAnnotations(service: ServiceResource): readonly string[] {
  const keys = Object.keys(service.metadata.annotations ?? {});
  return keys.filter((key) => key.startsWith(DEPRECATED_PREFIX)).sort();
}

/** An empty annotation counts as absent, so it does not hide its deprecated form. */
function annotation(service: ServiceResource, name: string): string {
  const annotations = service.metadata.annotations;
  return annotations?.[PREFIX + name] || annotations?.[DEPRECATED_PREFIX + name] || "";
}

/** Services with externalTrafficPolicy Local may share only where their pods are the same. */
function backendKey(service: ServiceResource): string {
  const { externalTrafficPolicy, selector } = service.spec;
  if (externalTrafficPolicy !== "Local") return "";
  const pairs = Object.entries(selector ?? {}).map(([name, value]) => `${name}=${value}`);
  return pairs.sort().join(",");
}

function invalid(message: string): AddressList {
  return { kind: "invalid", message };
}
