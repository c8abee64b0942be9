// A control plane from the command line: `assets` finds or builds its programs, `up` runs one.

import { parseArgs } from "node:util";
import { metallbRelease } from "../migration/metallb-release.ts";
import { findAssets } from "./assets.ts";
import { startCluster } from "./cluster.ts";

const USAGE = `Usage: node test/cluster/main.ts COMMAND
  assets   find or build the programs (once, about ten minutes), MetalLB's of the migration's tests
           too, and print the folder of kube-apiserver and kubectl
  up       run a fresh control plane until Ctrl-C and print its kubeconfig
           --netns NAME --bind-address ADDRESS   inside a network namespace
           --log-folder PATH                     keep the logs of its daemons
`;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    netns: { type: "string" },
    "bind-address": { type: "string" },
    "log-folder": { type: "string" },
  },
});

switch (positionals[0]) {
  case "assets":
    process.stdout.write(`${(await findAssets()).folder}\n`);
    await metallbRelease();
    break;
  case "up": {
    const { assets, kubeconfigPath } = await startCluster({
      controllers: true,
      ...(values.netns && { netns: values.netns }),
      ...(values["bind-address"] && { bindAddress: values["bind-address"] }),
      ...(values["log-folder"] && { logFolder: values["log-folder"] }),
    });
    process.stdout.write(`${kubeconfigPath}\n`);
    process.stderr.write(`Try: ${assets.kubectl} --kubeconfig ${kubeconfigPath} get namespaces\n`);
    // Until a signal ends this process, and with it everything.
    setInterval(() => {}, 60_000);
    break;
  }
  default:
    process.stderr.write(USAGE);
    process.exitCode = 2;
}
