// From the manifest of a container and its image to what node-server makes of it: user, groups,
// capabilities, environment, mounts.

import { join } from "node:path";
import type { Json } from "../request.ts";
import { type Environment, environmentOf, expand } from "./fields.ts";
import { DEFAULT_PATH, type Image } from "./image.ts";
import type { BoundMount, ContainerSpec } from "./node-server.ts";

/** What containerd leaves a container that asks for nothing. */
const DEFAULT_CAPABILITIES = [
  ...["AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "MKNOD"],
  ...["NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID", "SYS_CHROOT"],
] as const;

const ALL_CAPABILITIES = [
  ...DEFAULT_CAPABILITIES,
  ...["DAC_READ_SEARCH", "LINUX_IMMUTABLE", "NET_BROADCAST", "NET_ADMIN", "IPC_LOCK", "IPC_OWNER"],
  ...["SYS_MODULE", "SYS_RAWIO", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE"],
  ...["SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "LEASE", "AUDIT_CONTROL", "MAC_OVERRIDE"],
  ...["MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF"],
  "CHECKPOINT_RESTORE",
] as const;

export type SpecOptions = {
  readonly environment: Environment;
  readonly container: Json;
  readonly image: Image;
  /** The container's own. */
  readonly folder: string;
  /** Of the Pod's volumes, by name. */
  readonly volumeFolders: ReadonlyMap<string, string>;
  /** Such as /etc/hosts. */
  readonly files: readonly BoundMount[];
};

/** Throws where a kubelet would not create the container. */
export async function specOf(options: SpecOptions): Promise<ContainerSpec> {
  const { environment, container, image, folder } = options;
  const { pod } = environment;
  const own: Json = container.securityContext ?? {};
  const shared: Json = pod.spec.securityContext ?? {};
  const uid: number = own.runAsUser ?? shared.runAsUser ?? image.user?.uid ?? 0;
  const gid: number =
    own.runAsGroup ?? shared.runAsGroup ?? (uid === image.user?.uid ? image.user.gid : 0);
  if ((own.runAsNonRoot ?? shared.runAsNonRoot) && uid === 0) {
    throw new Error("container has runAsNonRoot and image will run as root");
  }
  const { fsGroup, supplementalGroups = [] } = shared;
  const variables = await environmentOf(environment, container, {
    PATH: DEFAULT_PATH,
    ...image.env,
  });
  const args = [...(container.command ?? image.entrypoint ?? []), ...(container.args ?? [])].map(
    (text: string) => expand(text, variables),
  );
  if (args.length === 0) throw new Error("no command specified");
  return {
    folder,
    layers: image.layers,
    hidden: image.hidden ?? [],
    readOnlyRoot: own.readOnlyRootFilesystem === true,
    mounts: [...options.files, ...(container.volumeMounts ?? []).map(mount(options, variables))],
    hostname: variables.get("HOSTNAME") ?? "",
    privileged: own.privileged === true,
    args,
    env: [...variables].map(([name, value]) => `${name}=${value}`),
    workingDir: container.workingDir ?? image.workingDir ?? "/",
    uid,
    gid,
    groups: [...new Set([gid, ...supplementalGroups, ...(fsGroup === undefined ? [] : [fsGroup])])],
    capabilities: capabilitiesOf(own.capabilities ?? {}),
    noNewPrivilege: own.allowPrivilegeEscalation === false,
  };
}

function capabilitiesOf({ drop = [], add = [] }: Json): readonly string[] {
  const named = (names: readonly string[]) =>
    names.flatMap((name) => (name === "ALL" ? ALL_CAPABILITIES : [name.replace(/^CAP_/, "")]));
  const dropped: readonly string[] = named(drop);
  const kept = DEFAULT_CAPABILITIES.filter((name) => !dropped.includes(name));
  return [...new Set([...kept, ...named(add)])];
}

function mount({ volumeFolders }: SpecOptions, variables: ReadonlyMap<string, string>) {
  return ({ name, mountPath, subPath, subPathExpr, readOnly }: Json): BoundMount => {
    const folder = volumeFolders.get(name);
    if (folder === undefined) throw new Error(`Cannot mount ${name}: the Pod has no such volume`);
    const below: string = subPath ?? expand(subPathExpr ?? "", variables);
    return { source: join(folder, below), target: mountPath, readOnly: readOnly === true };
  };
}
