// Starts MetalLB in the lab: the controller beside the API server, a speaker on each node.

import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Daemon } from "../../test/cluster/daemon.ts";
import type { Lab, LabNode } from "../netns/lab.ts";

export const NAMESPACE = "metallb-system";

/** By these the speakers find each other's Pods. */
export const SPEAKER_LABELS = { app: "metallb", component: "speaker" } as const;

const CONTROLLER = fileURLToPath(new URL("../../src/controller/main.ts", import.meta.url));
const SPEAKER = fileURLToPath(new URL("../../src/speaker/main.ts", import.meta.url));

export function startController(lab: Lab, kubeconfig: string): Daemon {
  return startProgram(lab, lab.node("control"), "controller", CONTROLLER, {
    KUBECONFIG: kubeconfig,
    METALLB_NAMESPACE: NAMESPACE,
  });
}

/** What the Pod of a node's speaker is called; its log too. */
export function speakerPodName(nodeName: string): string {
  return `speaker-${nodeName}`;
}

export function startSpeaker(lab: Lab, node: LabNode, kubeconfig: string): Daemon {
  return startProgram(lab, node, speakerPodName(node.name), SPEAKER, {
    KUBECONFIG: kubeconfig,
    METALLB_NAMESPACE: NAMESPACE,
    METALLB_NODE_NAME: node.name,
    METALLB_FRR_SOCKETS: node.socketsFolder,
    FRR_CONFIG_FILE: node.configFile,
    METALLB_POD_NAME: speakerPodName(node.name),
    METALLB_ML_BIND_ADDR: node.addresses.join(),
    METALLB_ML_LABELS: Object.entries(SPEAKER_LABELS)
      .map(([key, value]) => `${key}=${value}`)
      .join(),
    METALLB_ML_SECRET_KEY_PATH: memberlistSecretFolder(lab),
  });
}

/** The Secret `memberlist` as a volume of it would look: the same for every speaker of the lab. */
function memberlistSecretFolder(lab: Lab): string {
  const folder = join(lab.folder, "memberlist");
  const path = join(folder, "secretkey");
  mkdirSync(folder, { recursive: true });
  if (!existsSync(path)) writeFileSync(path, randomBytes(16).toString("base64"), { mode: 0o600 });
  return folder;
}

function startProgram(
  lab: Lab,
  node: LabNode,
  name: string,
  program: string,
  environment: Readonly<Record<string, string>>,
): Daemon {
  const settings = Object.entries(environment).map(([key, value]) => `${key}=${value}`);
  return new Daemon({
    name,
    command: "env",
    args: [...settings, process.execPath, program],
    netns: node.netns,
    logPath: join(lab.folder, "logs", `${name}.log`),
  });
}
