// What an API server noted of the requests it got: who did what to which object. Knows the format of
// the audit log, not what should be in it.

import { readFile } from "node:fs/promises";
import type { Json } from "./request.ts";

/** Everything, but no bodies. */
export const AUDIT_POLICY = JSON.stringify({
  apiVersion: "audit.k8s.io/v1",
  kind: "Policy",
  omitStages: ["RequestReceived"],
  rules: [{ level: "Metadata" }],
});

export type AuditedRequest = {
  readonly user: string;
  /** Of the API: get, list, watch, create, update, patch, delete, deletecollection. */
  readonly verb: string;
  /** Empty: the core group. */
  readonly group: string;
  /** Empty for requests that name none, such as to /version; then `path` says more. */
  readonly resource: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
  /** The path without its query. */
  readonly path: string;
  /** The HTTP status of the answer. */
  readonly code: number;
};

/** A watch is noted when it begins, any other request when it has ended; none is noted twice. */
export async function readAuditLog(path: string): Promise<readonly AuditedRequest[]> {
  const requests = new Map<string, AuditedRequest>();
  for (const line of (await readFile(path, "utf8")).split("\n")) {
    // The last one may be half written.
    if (!line.endsWith("}")) continue;
    const {
      auditID,
      user,
      verb,
      objectRef = {},
      requestURI,
      responseStatus,
    }: Json = JSON.parse(line);
    requests.set(auditID, {
      user: user.username,
      verb,
      group: objectRef.apiGroup ?? "",
      resource: objectRef.resource ?? "",
      subresource: objectRef.subresource ?? "",
      namespace: objectRef.namespace ?? "",
      name: objectRef.name ?? "",
      path: requestURI.split("?")[0],
      code: responseStatus?.code ?? 0,
    });
  }
  return [...requests.values()];
}
