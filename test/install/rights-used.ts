// Compares what a role allows with what its owner asked for, as the API server noted it. Pure.

import type { Right } from "../../scripts/chart/rights.ts";
import type { AuditedRequest } from "../cluster/audit.ts";

/** One verb of a right that nobody used, or a request that was refused: text for people. */
export type Verdict = { readonly unused: readonly string[]; readonly refused: readonly string[] };

/** `namespace` is that of the accounts; rights of subjects that are no service account of it are left out. */
export function compareRights(
  rights: readonly Right[],
  requests: readonly AuditedRequest[],
  namespace: string,
): Verdict {
  const own = rights.flatMap((right) => {
    const [kind, account] = right.subject.split(" ");
    return kind === "ServiceAccount" && account !== undefined ? [{ right, account }] : [];
  });
  const unused = own.flatMap(({ right, account }) => {
    const user = userOf(namespace, account);
    const used = new Set(
      requests
        .filter((request) => request.user === user && isCovered(request, right))
        .flatMap(verbsOf),
    );
    return right.verbs
      .filter((verb) => !used.has(verb))
      .map((verb) => `${account} (${right.scope}): ${verb} ${describe(right)}`);
  });
  const users = new Set(own.map(({ account }) => userOf(namespace, account)));
  const refused = requests
    .filter(({ user, code }) => users.has(user) && code === 403)
    .map(({ user, verb, path }) => `${user}: ${verb} ${path}`);
  return { unused: [...new Set(unused)].sort(), refused: [...new Set(refused)].sort() };
}

function userOf(namespace: string, account: string): string {
  return `system:serviceaccount:${namespace}:${account}`;
}

function isCovered(request: AuditedRequest, { scope, resource, names }: Right): boolean {
  const inScope = scope === "cluster" || request.namespace === scope;
  const isNamed = names.length === 0 || names.includes(request.name);
  return inScope && isNamed && resourceOf(request) === resource && request.code !== 403;
}

function resourceOf({ group, resource, subresource, path }: AuditedRequest): string {
  if (resource === "") return path;
  const qualified = group === "" ? resource : `${resource}.${group}`;
  return subresource === "" ? qualified : `${qualified}/${subresource}`;
}

/** An apply that made the object needed the right to create it, too. */
function verbsOf({ verb, code }: AuditedRequest): readonly string[] {
  return verb === "patch" && code === 201 ? ["patch", "create"] : [verb];
}

function describe({ resource, names }: Right): string {
  return names.length === 0 ? resource : `${resource} ${names.join()}`;
}
