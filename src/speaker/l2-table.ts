// What this node is to do for each address on Layer 2: the decisions of all Services that have it
// (several may share one), merged. Pure but for the map it keeps.

import type { Want } from "../l2/handover.ts";
import type { Address } from "../net/address.ts";
import type { L2Decision } from "./layer2.ts";

export class L2Table {
  readonly #byAddress = new Map<Address, Map<string, Want>>();
  readonly #byService = new Map<string, readonly Address[]>();

  /** Replaces what one Service wants. */
  set(service: string, addresses: readonly Address[], decision: L2Decision): void {
    const before = this.#byService.get(service) ?? [];
    const want = wantOf(decision);
    const now = want === undefined ? [] : addresses;
    for (const address of before) {
      if (now.includes(address)) continue;
      const wants = this.#byAddress.get(address);
      wants?.delete(service);
      if (wants?.size === 0) this.#byAddress.delete(address);
    }
    for (const address of now) {
      const wants = this.#byAddress.get(address);
      if (want === undefined) continue;
      if (wants === undefined) this.#byAddress.set(address, new Map([[service, want]]));
      else wants.set(service, want);
    }
    if (now.length === 0) this.#byService.delete(service);
    else this.#byService.set(service, now);
  }

  /** What is wanted of this node for the address; undefined: nothing. */
  get(address: Address): Want | undefined {
    const wants = this.#byAddress.get(address);
    return wants === undefined ? undefined : merged([...wants.values()]);
  }
}

function wantOf(decision: L2Decision): Want | undefined {
  if (decision.kind !== "refused") {
    const { interfaces, failbackDelayMs, candidates } = decision.announcement;
    return { role: decision.kind, interfaces, failbackDelayMs, hasOthers: candidates.length > 1 };
  }
  return decision.successor === undefined ? undefined : LEAVING;
}

const LEAVING: Want = { role: "leaving", interfaces: [], failbackDelayMs: 0, hasOthers: true };

/** The first that any Service wants is the role for all of them. */
const ROLES: readonly Want["role"][] = ["elected", "standby", "leaving"];

/** Elected for one is elected; an empty list of interfaces means all. */
function merged(wants: readonly Want[]): Want | undefined {
  const role = ROLES.find((one) => wants.some((want) => want.role === one));
  const counted = wants.filter((want) => want.role === role);
  const [first, ...others] = counted;
  if (first === undefined || others.length === 0) return first;
  const delays = counted.map(({ failbackDelayMs }) => failbackDelayMs ?? Number.POSITIVE_INFINITY);
  const longest = Math.max(...delays);
  return {
    role: first.role,
    interfaces: counted.some(({ interfaces }) => interfaces.length === 0)
      ? []
      : [...new Set(counted.flatMap(({ interfaces }) => interfaces))].sort(),
    failbackDelayMs: longest === Number.POSITIVE_INFINITY ? undefined : longest,
    hasOthers: counted.some(({ hasOthers }) => hasOthers),
  };
}
