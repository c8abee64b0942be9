// What the demo ends with, as text. Pure.

import { formatTable } from "../../src/cli/table.ts";
import type { SeenRoute } from "./routers.ts";

export type Summary = {
  readonly service: string;
  readonly pool: string;
  readonly addresses: readonly string[];
  /** Node names by each of their addresses. */
  readonly nodes: ReadonlyMap<string, string>;
  readonly routes: readonly {
    readonly router: string;
    readonly prefix: string;
    readonly route: SeenRoute;
  }[];
  /** What the client asked for, and the answers with how often they came. */
  readonly answers: readonly {
    readonly url: string;
    readonly counts: ReadonlyMap<string, number>;
  }[];
};

export function formatSummary(summary: Summary): string {
  const { service, pool, addresses, nodes, routes, answers } = summary;
  const announcing = new Set(
    routes.flatMap(({ route }) => route.nextHops.map((hop) => nodes.get(hop) ?? hop)),
  );
  return [
    `Service       ${service}, type LoadBalancer`,
    `Addresses     ${addresses.join("  ")}  from pool ${pool}`,
    `Announced by  ${[...announcing].sort().join(" ")}  by BGP, AS 64500`,
    "",
    ...formatTable([
      ["ROUTER", "ROUTE", "NEXT HOPS", "AS PATHS", "COMMUNITIES"],
      ...routes.map(({ router, prefix, route }) => [
        router,
        prefix,
        route.nextHops.map((hop) => nodes.get(hop) ?? hop).join(" "),
        route.asPaths.join(", "),
        route.communities.join(" "),
      ]),
    ]),
    "",
    ...formatTable([
      ["THE CLIENT ASKS", "THE PODS THAT ANSWER"],
      ...answers.map(({ url, counts }) => [
        url,
        [...counts]
          .sort()
          .map(([answer, count]) => `${answer} (${count} times)`)
          .join("  "),
      ]),
    ]),
  ].join("\n");
}
