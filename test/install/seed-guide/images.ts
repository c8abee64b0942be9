// The images of the walk as folders: ours as it is built, FRR's and nginx's by what stands for them.

import { copyFile, mkdir, mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { buildImageRoot, IMAGE } from "../../../scripts/image-root.ts";
import { hireJanitor } from "../../cluster/janitor.ts";
import { type Images, machineImage } from "../../cluster/kubelet/image.ts";

const OURS = fileURLToPath(new URL("../../../dist/image-root", import.meta.url));
const WEB_SERVER = fileURLToPath(new URL("web-server.ts", import.meta.url));

/**
 * Makes what is missing; `cleanup` removes what is for this walk only. An overlay takes no layer that
 * is in another one, so what goes over the machine's root must be on another file system than that.
 */
export async function makeImages(cleanup: AsyncDisposableStack): Promise<Images> {
  await buildImageRoot(OURS);
  const folder = await mkdtemp("/dev/shm/metallb-ts-images-");
  const janitor = hireJanitor("rm", "-rf", folder);
  cleanup.defer(() => janitor.clean());
  return {
    "metallb-ts/metallb": { layers: [OURS], ...IMAGE },
    "quay.io/frrouting/frr": machineImage(await layOutFrr(join(folder, "frr"))),
    "nginx:1.21": {
      layers: [await layOutWeb(join(folder, "web")), OURS],
      entrypoint: ["/usr/bin/node", "/web-server.ts"],
    },
  };
}

/** Users and groups as in FRR's image: the chart's values have their numbers. */
async function layOutFrr(layer: string): Promise<string> {
  await mkdir(join(layer, "etc"), { recursive: true });
  const users = ["root:x:0:0:root:/root:/bin/bash", "frr:x:100:101::/var/run/frr:/sbin/nologin"];
  const groups = ["root:x:0:", "frr:x:101:", "frrvty:x:102:frr"];
  await writeFile(join(layer, "etc/passwd"), `${users.join("\n")}\n`);
  await writeFile(join(layer, "etc/group"), `${groups.join("\n")}\n`);
  return layer;
}

async function layOutWeb(layer: string): Promise<string> {
  await mkdir(layer, { recursive: true });
  await copyFile(WEB_SERVER, join(layer, "web-server.ts"));
  return layer;
}
