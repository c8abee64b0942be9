// Every event the controller sends, by its reason: programs match on these. MetalLB's where it has one;
// docs/reference/events.md is made from here.

import type { EventReasons } from "../reasons.ts";

export const EVENT_REASONS = {
  IPAllocated: {
    type: "Normal",
    object: "Service",
    when: "It was given an address, or the second one of dual stack.",
  },
  AllocationFailed: {
    type: "Warning",
    object: "Service",
    when: "It can be given no address; the message lists each pool and why it was refused.",
  },
  AdditionalAssignFailed: {
    type: "Normal",
    object: "Service",
    when: "With PreferDualStack: it has an address of one family, and none of the other is to be had.",
  },
  ClearAssignment: {
    type: "Normal",
    object: "Service",
    when: "The pools do not allow its address any more; it is about to be given another one.",
  },
  LoadBalancerFailed: {
    type: "Warning",
    object: "Service",
    when: "The addresses it asks for cannot be read; it keeps the one it has.",
  },
  "not enough clusterips": {
    type: "Warning",
    object: "Service",
    when: "With RequireDualStack: it has no two cluster IPs of different families.",
  },
  nolbIPsIPFamily: {
    type: "Warning",
    object: "Service",
    when: "What stands in its status is no address.",
  },
  noclusterIPsIPFamily: {
    type: "Warning",
    object: "Service",
    when: "Its cluster IPs cannot be read; it keeps the address it has.",
  },
  deprecatedAnnotation: {
    type: "Warning",
    object: "Service",
    when: "It uses an annotation of metallb.universe.tf.",
  },
  LeaderElection: {
    type: "Normal",
    object: 'Lease "metallb-controller"',
    when: "A controller began to give addresses, or ceased; the message names its Pod and says why.",
  },
  ConfigurationError: {
    type: "Warning",
    object: "the refused object",
    when: "An object of the configuration is wrong; its last good version stays in force, if it had one.",
  },
} as const satisfies EventReasons;

export type EventReason = keyof typeof EVENT_REASONS;
