// Template texts + settings and routes -> the configuration text of the node. Pure: who starts
// the program reads the files. See classes.ts for the shape of the routes' part.

import Handlebars from "handlebars";
import type { Family } from "../net/address.ts";
import { compareAddresses } from "../net/address.ts";
import { type Prefix, prefixAddress, prefixFamily, prefixLength } from "../net/prefix.ts";
import { classesOf, classText, type NamedClass, nameClasses, routerHears } from "./classes.ts";
import type { FrrSettings, RouteClass, Router, Routes } from "./model.ts";
import { type NetworkView, viewOf } from "./view.ts";

/** The template files that make up frr.conf, each `<name>.hbs`. */
export const TEMPLATE_NAMES = [
  "frr.conf",
  "classes",
  "neighbor-filters",
  "neighbor-session",
  "neighbor-families",
  "bfd-profile",
] as const;

/** Their texts. */
export type Templates = Readonly<Record<(typeof TEMPLATE_NAMES)[number], string>>;

export type Renderer = {
  /** The whole text: settings, routes and the user's extra text. */
  readonly render: (settings: FrrSettings, routes: Routes) => string;
  /** The same without routes, but with the given classes defined, and without the extra text. */
  readonly renderStatic: (
    settings: FrrSettings,
    classes: ReadonlyMap<string, NamedClass>,
  ) => string;
};

/** Compiles the templates; throws where one is not valid. */
export function createRenderer(templates: Templates): Renderer {
  // A private instance: nobody else's helpers and partials.
  const handlebars = Handlebars.create();
  const options = {
    noEscape: true,
    strict: true,
    knownHelpersOnly: true,
    // Neither is used; whatever names them is a mistake.
    knownHelpers: { log: false, lookup: false },
  };
  for (const name of TEMPLATE_NAMES) {
    // Compiled here so that the options above hold inside partials too.
    handlebars.registerPartial(name, handlebars.compile(templates[name], options));
  }
  const template = handlebars.compile(templates["frr.conf"], options);
  const toText = (view: object): string => {
    refuseControlCharacters(view, "");
    return template(view);
  };
  return {
    render: (settings, routes) => {
      const used = new Set(routes.values());
      const classes = nameClasses(classesOf(settings, used));
      const networks = networksBy(routes, classes);
      const text = toText(viewOf(settings, classes, networks));
      return settings.extras === "" ? text : `${text}${endedLine(settings.extras)}`;
    },
    renderStatic: (settings, classes) => toText(viewOf(settings, classes, () => [])),
  };
}

/** Lists the networks of a router and family, in address order. */
function networksBy(
  routes: Routes,
  classes: ReadonlyMap<string, NamedClass>,
): (router: Router, family: Family) => readonly NetworkView[] {
  const sorted = [...routes].sort(([a], [b]) => comparePrefixes(a, b));
  return (router, family) => {
    const heard = new Map<RouteClass, boolean>();
    const networks: NetworkView[] = [];
    for (const [prefix, routeClass] of sorted) {
      if (prefixFamily(prefix) !== family) continue;
      const isHeard = heard.get(routeClass) ?? routerHears(router, family, routeClass);
      heard.set(routeClass, isHeard);
      const className = classes.get(classText(routeClass))?.name;
      if (isHeard && className !== undefined) networks.push({ prefix, className });
    }
    return networks;
  };
}

function comparePrefixes(a: Prefix, b: Prefix): number {
  const order = compareAddresses(prefixAddress(a), prefixAddress(b));
  return order !== 0 ? order : prefixLength(a) - prefixLength(b);
}

function endedLine(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}

/**
 * A line break in a value would be a line of configuration. The parsers of users' objects refuse
 * them by field; what comes here with one is a bug of ours and must not pass.
 */
function refuseControlCharacters(value: unknown, path: string): void {
  if (typeof value === "string") {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
    if (/[\u0000-\u001f\u007f\u0085\u2028\u2029]/.test(value)) {
      throw new Error(`Cannot render ${path}: it holds a control character`);
    }
    return;
  }
  if (typeof value !== "object" || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    refuseControlCharacters(inner, path === "" ? key : `${path}.${key}`);
  }
}
