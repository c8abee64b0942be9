// Starts MetalLB in the lab: the controller beside the API server, a speaker on each node.

import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Daemon } from "../../test/cluster/daemon.ts";
import type { Lab, LabNode } from "../netns/lab.ts";

export const NAMESPACE = "metallb-system";

const CONTROLLER = fileURLToPath(new URL("../../src/controller/main.ts", import.meta.url));
const SPEAKER = fileURLToPath(new URL("../../src/speaker/main.ts", import.meta.url));

export function startController(lab: Lab, kubeconfig: string): Daemon {
  return startProgram(lab, lab.node("control"), "controller", CONTROLLER, {
    KUBECONFIG: kubeconfig,
    METALLB_NAMESPACE: NAMESPACE,
  });
}

export function startSpeaker(lab: Lab, node: LabNode, kubeconfig: string): Daemon {
  return startProgram(lab, node, `speaker-${node.name}`, SPEAKER, {
    KUBECONFIG: kubeconfig,
    METALLB_NAMESPACE: NAMESPACE,
    METALLB_NODE_NAME: node.name,
    METALLB_FRR_SOCKETS: node.socketsFolder,
    FRR_CONFIG_FILE: node.configFile,
  });
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
