// Whether the kernel of this host answers ARP for addresses of Services by itself: kube-proxy in IPVS
// mode puts every one of them on an interface of every node. Reads /proc/sys/net, decides the rest
// purely.

import { readFileSync } from "node:fs";

/** Where kube-proxy puts the addresses. */
const IPVS_INTERFACE = "kube-ipvs0";
const SETTINGS = "/proc/sys/net/ipv4/conf";

/** `arp_ignore` by interface; "all" counts for each of them. */
export type ArpIgnore = ReadonlyMap<string, number>;

/** Reads the settings of these interfaces; undefined: kube-proxy is not in IPVS mode here. */
export function readArpIgnore(interfaces: readonly string[]): ArpIgnore | undefined {
  if (readSetting(IPVS_INTERFACE) === undefined) return undefined;
  const settings = new Map<string, number>();
  for (const name of ["all", ...interfaces]) {
    const value = readSetting(name);
    if (value !== undefined) settings.set(name, value);
  }
  return settings;
}

function readSetting(name: string): number | undefined {
  try {
    return Number(readFileSync(`${SETTINGS}/${name}/arp_ignore`, "utf8"));
  } catch {
    // No such interface, or none any more.
    return undefined;
  }
}

/**
 * What is wrong, with the command that mends it; undefined: nothing. The kernel takes the larger of
 * the value of "all" and the interface's own.
 */
export function strictArpProblem(settings: ArpIgnore | undefined): string | undefined {
  if (settings === undefined) return undefined;
  const all = settings.get("all") ?? 0;
  const open = [...settings]
    .filter(([name, value]) => name !== "all" && Math.max(all, value) === 0)
    .map(([name]) => name)
    .sort();
  if (open.length === 0) return undefined;
  return (
    `kube-proxy is in IPVS mode without strictARP: the kernel of this node answers for every Service address on ${open.join(", ")}, as those of the other nodes do. ` +
    'Mend it with: kubectl get configmap kube-proxy -n kube-system -o yaml | sed -e "s/strictARP: false/strictARP: true/" | kubectl apply -f - -n kube-system && kubectl rollout restart daemonset kube-proxy -n kube-system'
  );
}
