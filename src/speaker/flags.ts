// The flags of the speaker: MetalLB's where they mean something here, and our own.

import type { Flags, Program } from "../flags.ts";
import { DEFAULT_TIMINGS } from "../members/view.ts";
import { HEALTH_PROBE_PORT } from "../ports.ts";
import { PROGRAM_FLAGS } from "../program-flags.ts";

export const SPEAKER = {
  name: "speaker",
  summary:
    "Announces the addresses of Services of type LoadBalancer from this node, by BGP through the FRR beside it, and by ARP and NDP.",
  flags: {
    nodeName: {
      type: "string",
      default: undefined,
      env: "METALLB_NODE_NAME",
      help: "name of the Node this speaker runs on; required",
    },
    ...PROGRAM_FLAGS,
    ignoreExcludeLb: {
      type: "boolean",
      default: false,
      help: "announce although the Node has the label node.kubernetes.io/exclude-from-external-load-balancers",
    },
    frrSockets: {
      type: "string",
      default: "/var/run/frr",
      env: "METALLB_FRR_SOCKETS",
      help: "folder of the vty sockets of FRR's daemons",
    },
    frrConfigFile: {
      type: "string",
      default: undefined,
      env: "FRR_CONFIG_FILE",
      help: "where to keep the whole configuration, so that a restarted FRR starts from it; default nowhere",
    },
    frrTransport: {
      type: "string",
      default: "sockets",
      choices: ["sockets", "vtysh"],
      help: "how to speak to FRR; sockets are far faster",
    },
    logLevel: { ...PROGRAM_FLAGS.logLevel, help: "what to log; FRR logs at the same level" },
    healthProbePort: {
      type: "number",
      default: HEALTH_PROBE_PORT,
      min: 0,
      max: 65535,
      env: "METALLB_STATE_PORT",
      help: "port of /healthz, /readyz and /state on loopback; 0: any that is free",
    },
    host: { type: "string", default: "", env: "METALLB_HOST", help: "ignored, as by MetalLB" },
    mlBindaddr: {
      type: "string",
      default: "",
      env: "METALLB_ML_BIND_ADDR",
      help: "addresses of the Pod, one per family with a comma between, on which speakers find out who of them is alive; empty: they do not, and every Node counts as alive",
    },
    mlBindport: {
      type: "number",
      default: 7946,
      min: 1,
      max: 65535,
      env: "METALLB_ML_BIND_PORT",
      help: "UDP port for that, the same on all nodes",
    },
    mlLabels: {
      type: "string",
      default: "",
      env: "METALLB_ML_LABELS",
      help: "label selector of the Pods of speakers; empty: as an empty --ml-bindaddr",
    },
    mlSecretKeyPath: {
      type: "string",
      default: "",
      env: "METALLB_ML_SECRET_KEY_PATH",
      help: "folder with the file secretkey, by which speakers know each other",
    },
    mlProbeInterval: {
      type: "duration",
      defaultMs: DEFAULT_TIMINGS.probeIntervalMs,
      help: "between two probes of a speaker; one that misses three is dead",
    },
    l2Isolated: {
      type: "string",
      default: "silent",
      choices: ["silent", "answer"],
      help: "what a node does with its Layer 2 addresses that hears neither other speakers nor the API server",
    },
    l2RefreshInterval: {
      type: "duration",
      defaultMs: 180_000,
      help: "pause between unasked announcements of an address that stays; 0: none",
    },
    l2DrainTimeout: {
      type: "duration",
      defaultMs: 2_000,
      help: "longest wait at SIGTERM for other nodes to take the Layer 2 addresses over",
    },
    excludeL2Config: {
      type: "string",
      default: "/etc/metallb/excludel2.yaml",
      help: "file of ConfigMap metallb-excludel2: interfaces that never answer; no such file: none",
    },
  },
} as const satisfies Program<Flags>;
