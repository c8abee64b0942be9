// What both programs need before they can start: their namespace and a way to the API server. What
// cannot be had is said on standard error, and the process ends with status 2, as for a bad flag.

import { readFileSync } from "node:fs";
import { type Connection, type ConnectOptions, connect } from "./kube/connection.ts";

const NAMESPACE_FILE = "/var/run/secrets/kubernetes.io/serviceaccount/namespace";

/** Ends the process: `message` says why it cannot start. */
export function refuse(program: string, message: string): never {
  process.stderr.write(`${program}: ${message}\n`);
  return process.exit(2);
}

/** MetalLB's own namespace: what was asked for, else that of the service account. */
export function ownNamespace(program: string, wanted: string | undefined): string {
  if (wanted !== undefined) return wanted;
  try {
    return readFileSync(NAMESPACE_FILE, "utf8").trim();
  } catch {
    return refuse(
      program,
      `Cannot start without --namespace, $METALLB_NAMESPACE or ${NAMESPACE_FILE}`,
    );
  }
}

/** Reads the kubeconfig, or the service account of the Pod; sends nothing yet. */
export function connectOrRefuse(
  program: string,
  kubeconfig: string | undefined,
  mayWrite?: ConnectOptions["mayWrite"],
): Connection {
  return orRefuse(program, () => connect({ kubeconfig, ...(mayWrite && { mayWrite }) }));
}

/** What `make` returns; what it throws is why the program cannot start. */
export function orRefuse<T>(program: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    return refuse(program, error instanceof Error ? error.message : String(error));
  }
}
