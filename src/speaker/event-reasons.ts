// Every event a speaker sends, by its reason: programs match on these. MetalLB's where it has one;
// docs/reference/events.md is made from here.

import type { EventReasons } from "../reasons.ts";

export const EVENT_REASONS = {
  nodeAssigned: {
    type: "Normal",
    object: "Service",
    when: "The node begins to announce it; the message names node and protocol.",
  },
  announceFailed: {
    type: "Warning",
    object: "Service",
    when: "The node is to announce it by Layer 2, but has none of the interfaces the advertisement names.",
  },
  nodeLabeledExcludeBalancers: {
    type: "Warning",
    object: "Service",
    when: "No node can announce it by Layer 2, and the exclude label alone is why; one node says so for all.",
  },
  sessionFailed: {
    type: "Warning",
    object: "BGPPeer",
    when: "A node's session has been down for 10 s, and again when the reason changes.",
  },
  sessionEstablished: {
    type: "Normal",
    object: "BGPPeer",
    when: "A session that was told of as failed is up.",
  },
  sessionReset: {
    type: "Warning",
    object: "BGPPeer",
    when: "A change of the configuration takes the session down and up once; the message says which.",
  },
  nextSession: {
    type: "Warning",
    object: "BGPPeer",
    when: "A changed setting takes effect with the next session only.",
  },
  frrRefused: {
    type: "Warning",
    object: 'BGPPeer, ConfigMap "bgpextras"',
    when: "FRR did not take a line; the message holds both the line and FRR's answer.",
  },
  ConfigurationError: {
    type: "Warning",
    object: "the refused object",
    when: "An object is wrong for this node; what is wrong everywhere is told once, by the controller.",
  },
  layer2Problem: {
    type: "Warning",
    object: 'ConfigurationState "speaker-NODE"',
    when: "Layer 2 does not work on the node, or its kernel answers for every Service address.",
  },
} as const satisfies EventReasons;

export type EventReason = keyof typeof EVENT_REASONS;
