// The links of this host, kept from what rtnetlink tells. Pure.

import type { Address } from "../net/address.ts";
import type { LinkEvent, LinkFacts } from "./rtnetlink.ts";

export type LinkLocal = { readonly address: Address; readonly isTentative: boolean };

/** One network interface of this host. */
export type Link = LinkFacts & { readonly linkLocals: readonly LinkLocal[] };

type Entry = { facts: LinkFacts | undefined; readonly linkLocals: Map<Address, boolean> };

export class LinkTable {
  #entries = new Map<number, Entry>();

  /** Takes one event in; those about the telling itself change nothing. */
  apply(event: LinkEvent): void {
    switch (event.kind) {
      case "link":
        this.#entry(event.link.index).facts = event.link;
        return;
      case "linkGone":
        this.#entries.delete(event.index);
        return;
      case "linkLocal":
        this.#entry(event.index).linkLocals.set(event.address, event.isTentative);
        return;
      case "linkLocalGone":
        this.#entries.get(event.index)?.linkLocals.delete(event.address);
        return;
      case "interrupted":
      case "done":
      case "refused":
        return;
    }
  }

  /** All links by index. */
  links(): readonly Link[] {
    const links: Link[] = [];
    for (const { facts, linkLocals } of this.#entries.values()) {
      // Undefined for an address whose link is gone: the two are told by different messages.
      if (facts === undefined) continue;
      const addresses = [...linkLocals].map(([address, isTentative]) => ({ address, isTentative }));
      links.push({ ...facts, linkLocals: addresses });
    }
    return links.sort((a, b) => a.index - b.index);
  }

  #entry(index: number): Entry {
    let entry = this.#entries.get(index);
    if (entry === undefined) {
      entry = { facts: undefined, linkLocals: new Map() };
      this.#entries.set(index, entry);
    }
    return entry;
  }
}
