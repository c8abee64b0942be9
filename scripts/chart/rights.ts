// Who may do what, read from rendered roles and their bindings. Pure.

import type { Rendered } from "./helm.ts";

export type Right = {
  /** "ServiceAccount controller" */
  readonly subject: string;
  /** "cluster", or the namespace. */
  readonly scope: string;
  /** "services/status", "leases.coordination.k8s.io", or "/metrics". */
  readonly resource: string;
  /** The only objects it is about; empty: all. */
  readonly names: readonly string[];
  readonly verbs: readonly string[];
};

type Rule = {
  readonly apiGroups?: readonly string[];
  readonly resources?: readonly string[];
  readonly resourceNames?: readonly string[];
  readonly nonResourceURLs?: readonly string[];
  readonly verbs: readonly string[];
};
type Role = Rendered & { readonly rules: readonly Rule[] };
type Binding = Rendered & {
  readonly roleRef: { readonly kind: string; readonly name: string };
  readonly subjects: readonly { readonly kind: string; readonly name: string }[];
};

/** One line for each resource of each rule that is bound to somebody. */
export function rightsOf(objects: readonly Rendered[]): readonly Right[] {
  const roles = objects.filter((object): object is Role => /^(Cluster)?Role$/.test(object.kind));
  const bindings = objects.filter((object): object is Binding => /RoleBinding$/.test(object.kind));
  return bindings.flatMap(({ metadata, roleRef, subjects }) => {
    const role = roles.find(({ kind, metadata: { name, namespace } }) => {
      const isHere = kind === "ClusterRole" || namespace === metadata.namespace;
      return kind === roleRef.kind && name === roleRef.name && isHere;
    });
    if (role === undefined) {
      throw new Error(`Binding "${metadata.name}": there is no ${roleRef.kind} "${roleRef.name}"`);
    }
    return subjects.flatMap((subject) =>
      role.rules.flatMap((rule) =>
        resourcesOf(rule).map((resource) => ({
          subject: `${subject.kind} ${subject.name}`,
          scope: metadata.namespace ?? "cluster",
          resource,
          names: rule.resourceNames ?? [],
          verbs: rule.verbs,
        })),
      ),
    );
  });
}

function resourcesOf({ apiGroups = [], resources = [], nonResourceURLs = [] }: Rule): string[] {
  const named = apiGroups.flatMap((group) =>
    resources.map((resource) => {
      const [plural = "", subresource] = resource.split("/");
      const qualified = group === "" ? plural : `${plural}.${group}`;
      return subresource === undefined ? qualified : `${qualified}/${subresource}`;
    }),
  );
  return [...named, ...nonResourceURLs];
}
