// What the speakers of the lab say of themselves.

import { fileURLToPath } from "node:url";
import type { SpeakerState } from "../../src/speaker/state.ts";
import type { Lab } from "../netns/lab.ts";
import { NODES } from "./stage.ts";

const CLI = fileURLToPath(new URL("../../src/cli/main.ts", import.meta.url));

/** What `mirror-status` prints on a node. */
export function mirrorStatus(lab: Lab, nodeName: string, ...args: string[]): Promise<string> {
  return lab.node(nodeName).exec([process.execPath, CLI, "mirror-status", ...args]);
}

export async function speakerState(lab: Lab, nodeName: string): Promise<SpeakerState> {
  return JSON.parse(await mirrorStatus(lab, nodeName, "-o", "json"));
}

/** Whether each speaker counts all of them as alive and may answer for addresses. */
export async function areAllMembers(lab: Lab): Promise<boolean> {
  const states = await Promise.all(NODES.map((name) => speakerState(lab, name)));
  return states.every(({ layer2: { fence, members } }) => {
    const alive = members?.filter(({ state }) => state === "alive") ?? [];
    return fence === null && alive.length === NODES.length;
  });
}
