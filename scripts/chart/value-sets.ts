// Values that the chart is rendered with where all of it is to be looked at. Data only.

import type { Values } from "./helm.ts";

export const VALUE_SETS: Readonly<Record<string, Values>> = {
  "the defaults": {},
  "everything that can be on": {
    imagePullSecrets: [{ name: "registry" }],
    loadBalancerClass: "example.com/metallb",
    tls: {
      minVersion: "VersionTLS12",
      cipherSuites: "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
      controllerMetricsTLSSecret: "controller-certificate",
      speakerMetricsTLSSecret: "speaker-certificate",
    },
    prometheus: {
      scrapeAnnotations: true,
      serviceAccount: "prometheus-k8s",
      namespace: "monitoring",
      serviceMonitor: { enabled: true, interval: "30s" },
      prometheusRule: { enabled: true },
      grafanaDashboard: { enabled: true },
    },
    controller: {
      replicas: 3,
      runtimeClassName: "gvisor",
      nodeSelector: { "example.com/infra": "true" },
      tolerations: [{ key: "example.com/infra", operator: "Exists" }],
      affinity: { nodeAffinity: {} },
      podAnnotations: { "example.com/note": "x" },
      labels: { team: "network" },
      serviceAccount: { annotations: { "example.com/note": "x" } },
      extraContainers: [{ name: "more", image: "example.com/more:1" }],
    },
    speaker: {
      ignoreExcludeLB: true,
      nodeSelector: { "example.com/edge": "true" },
      tolerations: [{ key: "example.com/edge", operator: "Exists" }],
      podAnnotations: { "example.com/note": "x" },
      labels: { team: "network" },
      extraContainers: [{ name: "more", image: "example.com/more:1" }],
    },
    networkpolicies: { enabled: true, defaultDeny: true },
  },
  "everything that can be off": {
    rbac: { create: false },
    crds: { enabled: false },
    controller: {
      serviceAccount: { create: false },
      podDisruptionBudget: { enabled: false },
      livenessProbe: { enabled: false },
      readinessProbe: { enabled: false },
      priorityClassName: "",
      replicas: 1,
      leaderElection: { enabled: false },
      strategy: { type: "Recreate" },
    },
    speaker: {
      tolerateMaster: false,
      serviceAccount: { create: false },
      memberlist: { enabled: false },
      excludeInterfaces: { enabled: false },
      livenessProbe: { enabled: false },
      readinessProbe: { enabled: false },
      startupProbe: { enabled: false },
      priorityClassName: "",
      updateStrategy: { type: "OnDelete" },
    },
  },
  "only the controller": { speaker: { enabled: false } },
  "only the speakers": { controller: { enabled: false } },
  "names of MetalLB's chart": { fullnameOverride: "metallb", nameOverride: "lb" },
  "metrics over HTTP, for a PodMonitor": {
    prometheus: {
      scheme: "http",
      rbacPrometheus: false,
      podMonitor: { enabled: true, interval: "1m30s" },
    },
  },
};
