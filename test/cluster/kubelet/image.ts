// What stands for an image: folders of this machine that together are its root.

import { readdirSync } from "node:fs";

export type Image = {
  /** The topmost first. */
  readonly layers: readonly string[];
  /** Folders that are empty in the container, whatever the layers have there; default none. */
  readonly hidden?: readonly string[];
  /** Default root. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly env?: Readonly<Record<string, string>>;
  readonly entrypoint?: readonly string[];
  readonly workingDir?: string;
};

/** By repository, such as quay.io/frrouting/frr, or by repository and tag, which goes before. */
export type Images = Readonly<Record<string, Image>>;

export const DEFAULT_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

const KEPT = ["bin", "etc", "lib", "lib32", "lib64", "libx32", "sbin", "usr", "var"];

/**
 * This machine's own programs and libraries, with what `layers` has over them. It stands for images
 * with the programs of Debian packages, such as FRR's.
 */
export function machineImage(...layers: readonly string[]): Image {
  const others = readdirSync("/", { withFileTypes: true }).filter(
    (entry) => entry.isDirectory() && !KEPT.includes(entry.name),
  );
  return {
    layers: [...layers, "/"],
    hidden: [...others.map(({ name }) => `/${name}`), "/var/tmp"],
    env: { PATH: DEFAULT_PATH },
  };
}

/** The image of a reference such as quay.io/frrouting/frr:10.5.3. */
export function imageOf(images: Images, reference: string): Image {
  const repository = reference.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
  const image = images[reference] ?? images[repository];
  if (image !== undefined) return image;
  const known = Object.keys(images).join(", ");
  throw new Error(`Cannot run image ${reference}: want one of ${known || "none"}`);
}
