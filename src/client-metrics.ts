// What both programs count of their dealings with the API server: MetalLB's names and meanings.

import { Counter, Gauge, type Registry } from "prom-client";

export type ClientMetrics = {
  readonly updateFailed: () => void;
  readonly configLoaded: (options: { readonly isStale: boolean }) => void;
};

/** Registers the metrics; `updates` says how many objects were looked at since the start. */
export function registerClientMetrics(registry: Registry, updates: () => number): ClientMetrics {
  const registers = [registry];
  new Counter({
    name: "metallb_k8s_client_updates_total",
    help: "Number of k8s object updates that have been processed.",
    registers,
    collect() {
      this.reset();
      this.inc(updates());
    },
  });
  const updateErrors = new Counter({
    name: "metallb_k8s_client_update_errors_total",
    help: "Number of k8s object updates that failed for some reason.",
    registers,
  });
  const loaded = new Gauge({
    name: "metallb_k8s_client_config_loaded_bool",
    help: "1 if the MetalLB configuration was successfully loaded at least once.",
    registers,
  });
  const stale = new Gauge({
    name: "metallb_k8s_client_config_stale_bool",
    help: "1 if running on a stale configuration, because some object of the latest one is bad.",
    registers,
  });
  return {
    updateFailed: () => updateErrors.inc(),
    configLoaded: ({ isStale }) => {
      loaded.set(1);
      stale.set(isStale ? 1 : 0);
    },
  };
}
