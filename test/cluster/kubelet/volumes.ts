// The volumes of a Pod as folders: emptyDir, and files from ConfigMaps, Secrets, tokens and the Pod's
// own fields, replaced as a whole when they change. No other kinds.

import { randomUUID } from "node:crypto";
import {
  chmod,
  chown,
  mkdir,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Json } from "../request.ts";
import { type Environment, fieldOf } from "./fields.ts";

type File = { readonly path: string; readonly content: Buffer; readonly mode: number };

export type VolumeOptions = {
  readonly environment: Environment;
  /** Where to make it. */
  readonly folder: string;
  /** Gets a token of the Pod's service account. */
  readonly token: (audience: string | undefined, expirationSeconds: number) => Promise<string>;
};

/** A volume whose files may change while the Pod runs. */
export class Volume {
  readonly folder: string;
  readonly #volume: Json;
  readonly #options: VolumeOptions;
  /** Undefined: nothing yet, not even an empty folder. */
  #written: string | undefined;
  #tokens = new Map<string, string>();

  constructor(volume: Json, options: VolumeOptions) {
    this.#volume = volume;
    this.#options = options;
    this.folder = options.folder;
  }

  /** Makes it, or brings its files up to date; an Error while something it wants does not exist. */
  async sync(): Promise<void> {
    const { fsGroup } = this.#options.environment.pod.spec.securityContext ?? {};
    if (this.#volume.emptyDir) {
      if ((await mkdir(this.folder, { recursive: true })) === undefined) return;
      await chmod(this.folder, 0o777);
      if (fsGroup !== undefined) {
        await chown(this.folder, 0, fsGroup);
        await chmod(this.folder, 0o2777);
      }
      return;
    }
    const files = await this.#files();
    const print = files.map(
      ({ path, content, mode }) => `${path} ${mode} ${content.toString("hex")}`,
    );
    if (this.#written === print.join()) return;
    await this.#write(files, fsGroup);
    this.#written = print.join();
  }

  async #write(files: readonly File[], fsGroup: number | undefined): Promise<void> {
    // As a kubelet does it: programs see all files change at once.
    const version = `..${randomUUID()}`;
    const data = join(this.folder, "..data");
    await mkdir(join(this.folder, version), { recursive: true });
    for (const { path, content, mode } of files) {
      const target = join(this.folder, version, path);
      await mkdir(dirname(target), { recursive: true });
      await writeFile(target, content);
      await chmod(target, fsGroup === undefined ? mode : mode | 0o440);
      await chown(target, this.#owner(fsGroup), fsGroup ?? 0);
    }
    const before = await readlink(data).catch(() => undefined);
    await symlink(version, `${data}_tmp`);
    await rename(`${data}_tmp`, data);
    const names = new Set(files.map(({ path }) => path.split("/")[0] ?? path));
    const nested = nestedMounts(this.#options.environment.pod, this.#volume.name);
    const mountPoints = new Set(nested.map((path) => path.split("/")[0] ?? path));
    const present = (await readdir(this.folder)).filter(
      (name) => !name.startsWith("..") && !mountPoints.has(name),
    );
    for (const name of present.filter((n) => !names.has(n))) await rm(join(this.folder, name));
    for (const name of names) {
      if (!present.includes(name)) await symlink(join("..data", name), join(this.folder, name));
    }
    for (const path of nested) await mkdir(join(this.folder, path), { recursive: true });
    if (before !== undefined) await rm(join(this.folder, before), { recursive: true });
  }

  /** Whose a token is: of all containers if they have one user, so that others cannot read it. */
  #owner(fsGroup: number | undefined): number {
    if (this.#tokens.size === 0 || fsGroup !== undefined) return 0;
    return onlyUser(this.#options.environment.pod) ?? 0;
  }

  async #files(): Promise<readonly File[]> {
    const { configMap, secret, projected, downwardAPI, name } = this.#volume;
    const single = configMap ?? secret ?? projected ?? downwardAPI;
    if (!single) {
      const kind = Object.keys(this.#volume).filter((key) => key !== "name");
      throw new Error(`Cannot make volume ${name}: the double does not know ${kind}`);
    }
    const mode: number = single.defaultMode ?? 0o644;
    const sources: readonly Json[] = projected?.sources ?? [this.#volume];
    return (await Promise.all(sources.map((source) => this.#filesOf(source, mode)))).flat();
  }

  async #filesOf(source: Json, mode: number): Promise<readonly File[]> {
    const { environment } = this.#options;
    if (source.configMap) {
      const { name, items, optional } = source.configMap;
      return this.#filesOfObject("configmaps", name, items, optional, mode);
    }
    if (source.secret) {
      const { name, secretName = name, items, optional } = source.secret;
      return this.#filesOfObject("secrets", secretName, items, optional, mode);
    }
    if (source.downwardAPI) {
      return source.downwardAPI.items.map((item: Json) => ({
        path: item.path,
        content: Buffer.from(fieldOf(environment, item.fieldRef?.fieldPath)),
        mode: item.mode ?? mode,
      }));
    }
    if (source.serviceAccountToken) {
      const { path, audience, expirationSeconds = 3600 } = source.serviceAccountToken;
      const token =
        this.#tokens.get(path) ?? (await this.#options.token(audience, expirationSeconds));
      this.#tokens.set(path, token);
      const { spec } = environment.pod;
      const isPrivate = spec.securityContext?.fsGroup ?? onlyUser(environment.pod);
      return [{ path, content: Buffer.from(token), mode: isPrivate === undefined ? mode : 0o600 }];
    }
    throw new Error(`Cannot project ${Object.keys(source)}: the double does not know it`);
  }

  async #filesOfObject(
    kind: "configmaps" | "secrets",
    name: string,
    items: readonly Json[] | undefined,
    optional: boolean | undefined,
    mode: number,
  ): Promise<readonly File[]> {
    const object = await this.#options.environment.lookup(kind, name);
    if (object === undefined && !optional) throw new Error(`${kind} "${name}" not found`);
    const contents = new Map<string, Buffer>();
    const add = (data: Record<string, string> | undefined, encoding: BufferEncoding) => {
      for (const [key, value] of Object.entries(data ?? {})) {
        contents.set(key, Buffer.from(value, encoding));
      }
    };
    add(object?.data, kind === "secrets" ? "base64" : "utf8");
    add(object?.binaryData, "base64");
    const wanted = items ?? [...contents.keys()].map((key) => ({ key, path: key }));
    return wanted.flatMap((item: Json) => {
      const content = contents.get(item.key);
      if (content !== undefined) return [{ path: item.path, content, mode: item.mode ?? mode }];
      if (optional) return [];
      throw new Error(`${kind} "${name}" has no key ${item.key}`);
    });
  }
}

/** Where other volumes are mounted inside this one: made beforehand, as it may be read-only then. */
function nestedMounts({ spec }: Json, volume: string): readonly string[] {
  return [...(spec.initContainers ?? []), ...spec.containers].flatMap(({ volumeMounts = [] }) =>
    volumeMounts
      .filter(({ name }: Json) => name === volume)
      .flatMap(({ mountPath: outer }: Json) =>
        volumeMounts
          .filter(({ mountPath }: Json) => mountPath.startsWith(`${outer}/`))
          .map(({ mountPath }: Json) => mountPath.slice(outer.length + 1)),
      ),
  );
}

function onlyUser({ spec }: Json): number | undefined {
  const users = [...(spec.initContainers ?? []), ...spec.containers].map(
    ({ securityContext }: Json) => securityContext?.runAsUser ?? spec.securityContext?.runAsUser,
  );
  return new Set(users).size === 1 ? users[0] : undefined;
}
