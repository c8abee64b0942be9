// What two peers of one node may not have in common, or must: FRR keeps one `router bgp` per
// VRF, with one AS number and one router ID, and one neighbor per address.

import { type Finding, show } from "./field.ts";
import type { Peer } from "./peer.ts";

/** The sessions a node opens, by what they may not share. */
export type Sessions = {
  first: Peer | undefined;
  readonly byIdentity: Map<string, Peer>;
  readonly byVrf: Map<string, Peer>;
};

/** Adds a session; returns what stands against it, in which case nothing is added. */
export function addSession(sessions: Sessions, peer: Peer): Finding | undefined {
  const { first } = sessions;
  if (first !== undefined && first.routerId !== peer.routerId) {
    return conflict(
      "spec.routerID",
      `Cannot use router ID ${shown(peer.routerId)}: BGPPeer ${show(first.name)} on the same node has ${shown(first.routerId)}, want the same`,
    );
  }
  const vrf = peer.vrf ?? "";
  const identity = JSON.stringify([peer.address ?? peer.interfaceName, vrf]);
  const same = sessions.byIdentity.get(identity);
  if (same !== undefined) {
    return conflict(
      peer.address === undefined ? "spec.interface" : "spec.peerAddress",
      `Cannot open a second session to ${show(peer.address ?? peer.interfaceName)}: it already exists for BGPPeer ${show(same.name)} on the same node, want another address, interface or vrf`,
    );
  }
  const neighbor = sessions.byVrf.get(vrf);
  if (neighbor !== undefined && neighbor.myAsn !== peer.myAsn) {
    return conflict(
      "spec.myASN",
      `Cannot use myASN ${peer.myAsn}: BGPPeer ${show(neighbor.name)} on the same node and vrf has ${neighbor.myAsn}, want the same`,
    );
  }
  sessions.first ??= peer;
  sessions.byIdentity.set(identity, peer);
  if (neighbor === undefined) sessions.byVrf.set(vrf, peer);
  return undefined;
}

function shown(routerId: string | undefined): string {
  return routerId === undefined ? "unset" : show(routerId);
}

function conflict(field: string, message: string): Finding {
  return { field, message, transient: false };
}
