// The flags of the controller: MetalLB's where they mean something here, and our own.

import type { Flags, Program } from "../flags.ts";
import { HEALTH_PROBE_PORT } from "../ports.ts";
import { PROGRAM_FLAGS } from "../program-flags.ts";

export const CONTROLLER = {
  name: "controller",
  summary: "Gives addresses from IPAddressPools to Services of type LoadBalancer.",
  flags: {
    ...PROGRAM_FLAGS,
    deployment: {
      type: "string",
      default: undefined,
      env: "METALLB_DEPLOYMENT",
      help: "Deployment the controller belongs to, which owns the memberlist Secret",
    },
    mlSecretName: {
      type: "string",
      default: undefined,
      env: "METALLB_ML_SECRET_NAME",
      help: "memberlist Secret to create for the speakers; default none",
    },
    healthProbePort: {
      type: "number",
      default: HEALTH_PROBE_PORT,
      min: 0,
      max: 65535,
      help: "port of /healthz and /readyz on all addresses; 0: any that is free",
    },
    leaderElect: {
      type: "boolean",
      default: false,
      help: "give addresses only while holding the Lease metallb-controller, so that several controllers may run and one works",
    },
    leaderElectLeaseDuration: {
      type: "duration",
      defaultMs: 5_000,
      help: "how long the others wait after the last sign of the leader before one takes over; it stops to write a fifth of that earlier. Whole seconds",
    },
  },
} as const satisfies Program<Flags>;
