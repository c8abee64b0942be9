// What both demos begin with: the lab, a control plane, MetalLB with its configuration, a Service with
// its addresses. Tells what it does.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { eventually, GiveUp } from "../../test/cluster/eventually.ts";
import { startLab } from "../netns/lab.ts";
import { rememberLab } from "../netns/running.ts";
import { type ApiChoice, chooseApi, startControlPlane } from "./control-plane.ts";
import { hasKubeProxy, startKubeProxies } from "./forwarding.ts";
import type { Progress } from "./progress.ts";
import { NODES, Stage } from "./stage.ts";

const SERVICE_PATH = "/api/v1/namespaces/default/services/web";

export type OpeningOptions = {
  readonly api: ApiChoice;
  /** File in this folder: what a user writes to configure MetalLB. */
  readonly manifest: string;
  readonly progress: Progress;
  readonly cleanup: AsyncDisposableStack;
  readonly signal: AbortSignal;
};

/** Starts all of it; MetalLB then runs with the manifest applied. */
export async function openStage(options: OpeningOptions): Promise<Stage> {
  const { progress, cleanup, signal, manifest } = options;
  const lab = await progress.step(
    "Lab: routers, nodes and clients as network namespaces",
    () => startLab({ signal }),
    ({ nodes }) => nodes.map(({ name }) => name).join(" "),
  );
  cleanup.defer(() => lab.stop());
  cleanup.defer(rememberLab(lab));

  const { real, why } = chooseApi(options.api);
  progress.say(`Control plane: ${why}`);
  const controlPlane = await progress.step(
    "Control plane: starting",
    () => startControlPlane(lab, real),
    ({ title }) => title,
  );
  cleanup.defer(() => controlPlane.stop());
  const stage = new Stage(lab, controlPlane);
  await progress.step("Kubernetes: Nodes, MetalLB's kinds of object", () =>
    controlPlane.prepare(stage.nodes),
  );

  cleanup.defer(() => stage.stopPrograms());
  stage.startController();
  for (const name of NODES) stage.startSpeaker(name);
  await progress.step(`MetalLB: controller, three speakers, lab/demo/${manifest}`, async () => {
    await controlPlane.apply(await readManifest(manifest));
  });
  if (hasKubeProxy(controlPlane)) {
    await progress.step("kube-proxy on every node", () =>
      startKubeProxies(controlPlane, stage.nodes),
    );
  }
  return stage;
}

/** Makes the Service, and waits for its two addresses. */
export async function makeService(stage: Stage, progress: Progress): Promise<readonly string[]> {
  await progress.step("Service: applying lab/demo/web.yaml", async () => {
    await stage.controlPlane.apply(await readManifest("web.yaml"));
  });
  return progress.step(
    "Service: waiting for its addresses",
    () =>
      untilSeen(stage, "an IPv4 and an IPv6 address", async () => {
        const { status } = await stage.controlPlane.get(SERVICE_PATH);
        const ingress: readonly { ip: string }[] = status?.loadBalancer?.ingress ?? [];
        return ingress.length === 2 && ingress.map(({ ip }) => ip);
      }),
    (given) => given.join("  "),
  );
}

/** Waits as `eventually` does, but not when one of MetalLB's programs has ended. */
export function untilSeen<T>(
  stage: Stage,
  describe: string,
  look: () => T | undefined | false | Promise<T | undefined | false>,
): Promise<T> {
  const unlessEnded = () => {
    const ended = stage.programs.find((program) => program.ended !== undefined);
    if (ended !== undefined) throw new GiveUp(`Cannot go on: ${ended.name} ended ${ended.ended}`);
    return look();
  };
  return eventually(unlessEnded, { describe }).catch((cause) => {
    const logs = stage.programs.map((one) => `== ${one.name}\n${one.logTail()}`).join("\n");
    throw new Error(`${cause instanceof Error ? cause.message : cause}\n${logs}`, { cause });
  });
}

export function readManifest(name: string): Promise<string> {
  return readFile(join(import.meta.dirname, name), "utf8");
}

export function urlOf(address: string): string {
  return `http://${address.includes(":") ? `[${address}]` : address}/`;
}
