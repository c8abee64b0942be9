// The flags that controller and speaker share, with what both mean by them.

import type { Flags } from "./flags.ts";
import { LOG_LEVELS } from "./log.ts";

export const PROGRAM_FLAGS = {
  namespace: {
    type: "string",
    default: undefined,
    env: "METALLB_NAMESPACE",
    help: "MetalLB's own namespace; default that of the service account",
  },
  podName: {
    type: "string",
    default: undefined,
    env: "METALLB_POD_NAME",
    help: "Pod this program runs in: it owns the status objects it writes, and is the holder of the Lease when a controller leads",
  },
  kubeconfig: {
    type: "string",
    default: undefined,
    env: "KUBECONFIG",
    help: "how to reach the API server; default the service account of the Pod",
  },
  lbClass: {
    type: "string",
    default: "",
    help: "serve Services of this loadBalancerClass only; empty: those without a class",
  },
  logLevel: { type: "string", default: "info", choices: LOG_LEVELS, help: "what to log" },
  port: {
    type: "number",
    default: 7472,
    min: 0,
    max: 65535,
    help: "port of /metrics, /healthz and /readyz on all addresses; 0: none",
  },
  metricsScheme: {
    type: "string",
    default: "http",
    choices: ["http", "https"],
    help: "how --port is spoken to; https: /metrics wants a bearer token that the API server knows and that may get /metrics",
  },
  metricsCertDir: {
    type: "string",
    default: "",
    help: "folder with tls.crt and tls.key for --metrics-scheme=https, read again when they change; empty: a certificate of our own, signed by itself",
  },
  tlsMinVersion: {
    type: "string",
    default: "VersionTLS13",
    choices: ["VersionTLS12", "VersionTLS13"],
    help: "oldest TLS version that is spoken",
  },
  tlsCipherSuites: {
    type: "string",
    default: "",
    help: "cipher suites of TLS 1.2 by their IANA names, with commas between; empty: those of OpenSSL; those of TLS 1.3 are not to be chosen",
  },
} as const satisfies Flags;
