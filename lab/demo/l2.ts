// The demo of Layer 2: one node answers for a Service's addresses, loses its power before the client's
// eyes, another one takes over, and hands them back when it is there again.

import { CALL_EVERY_MS, Observer } from "../clients/observer.ts";
import { formatTakeovers, ownersText, type Takeover, takeoverText } from "../clients/takeover.ts";
import { hasKubeProxy, writeForwardingRules } from "./forwarding.ts";
import { makeService, readManifest, untilSeen, urlOf } from "./opening.ts";
import type { Progress } from "./progress.ts";
import { areAllMembers, speakerState } from "./speakers.ts";
import { NODES, type Stage } from "./stage.ts";

/** Returns the Service's addresses. */
export async function demoL2(
  stage: Stage,
  progress: Progress,
  cleanup: AsyncDisposableStack,
): Promise<readonly string[]> {
  const { lab } = stage;
  await progress.step("Speakers: each waits until it knows that all three are alive", () =>
    untilSeen(stage, "three members at each speaker", () => areAllMembers(lab)),
  );
  const addresses = await makeService(stage, progress);
  const observer = await Observer.start({
    lab,
    nodes: NODES,
    addresses,
    until: (describe, look) => untilSeen(stage, describe, look),
  });
  cleanup.defer(() => observer.stop());
  const owner = await progress.step(
    "Layer 2: asking the network who has the addresses",
    () => observer.untilOwner((name) => name !== undefined),
    (name) => `${name} answers for both`,
  );
  const why = await whyOwner(stage, owner);
  progress.say(`  because: ${why}`);

  await progress.step(`Pods: on the nodes other than ${owner}, as its own die with it`, () =>
    movePods(stage, owner, addresses),
  );
  for (const address of addresses) {
    const url = urlOf(address);
    await progress.step(
      `Client: ${url}`,
      () =>
        untilSeen(stage, "an answer", () =>
          lab.node("host").exec(["curl", "-gsS", "--max-time", "2", url]),
        ),
      (answer) => `the pod of ${answer.trim()} answers`,
    );
    progress.say(`  its neighbor table has ${await observer.neighbor(address)} for ${address}`);
  }

  observer.startCallers();
  progress.say(`Client: asks every ${CALL_EVERY_MS} ms from now on`);
  const lost = await progress.step(
    `Power cut: ${owner} loses its cable and all that runs in it`,
    () =>
      observer.watchMove({
        what: `power cut of ${owner}`,
        act: () => stage.powerOff(owner),
        isOwner: (name) => name !== undefined && name !== owner,
      }),
    (seen) => seen.map(takeoverText).join("\n            "),
  );
  const returned = await progress.step(
    `Power is back: ${owner} starts with all that runs in it`,
    () =>
      observer.watchMove({
        what: `${owner} is back`,
        act: () => stage.powerOn(owner),
        isOwner: (name) => name === owner,
      }),
    (seen) => seen.map(takeoverText).join("\n            "),
  );

  console.log(
    [
      "",
      "Service    default/web, type LoadBalancer",
      `Addresses  ${addresses.join("  ")}  from pool demo`,
      `Owner      ${owner}: ${why}`,
      "",
      formatTakeovers([...lost, ...returned]),
      "",
    ].join("\n"),
  );
  for (const takeover of [...lost, ...returned]) refuseTwoOwners(takeover);
  return addresses;
}

/** What the owner's speaker says of why it is the owner. */
async function whyOwner({ lab }: Stage, owner: string): Promise<string> {
  const { services } = await speakerState(lab, owner);
  const l2 = services.find(({ service }) => service === "default/web")?.l2;
  if (l2?.announced) return l2.why;
  throw new Error(`Cannot tell why ${owner} answers: its speaker says it does not`);
}

/** Takes the pods of one node out of the Service. */
async function movePods(stage: Stage, owner: string, addresses: readonly string[]): Promise<void> {
  const lines = (await readManifest("web.yaml")).split("\n");
  const remaining = lines.filter((line) => !line.includes(`nodeName: ${owner}`));
  await stage.controlPlane.apply(remaining.join("\n"));
  if (hasKubeProxy(stage.controlPlane)) return;
  const pods = stage.nodes.filter(({ name }) => name !== owner);
  await writeForwardingRules(
    stage.nodes,
    addresses,
    pods.flatMap(({ loopbackAddresses }) => loopbackAddresses),
  );
}

function refuseTwoOwners({ what, address, owners }: Takeover): void {
  if (owners.length === 2) return;
  const seen = ownersText(owners);
  throw new Error(`Cannot be content: after ${what} ${address} was answered by ${seen}`);
}

/** What can be tried afterwards, after "exec". */
export function l2Hints(address: string): readonly string[] {
  return [
    `host curl -s ${urlOf(address)}`,
    `host ip neigh show ${address}`,
    "lan ip link set eth1 down",
  ];
}
