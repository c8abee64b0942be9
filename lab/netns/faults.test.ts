// Faults of a lab's nodes on a real kernel: each does what it says to one node only, and is undone.

import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { eventually } from "../../test/cluster/eventually.ts";
import {
  between,
  CUTS,
  cutCable,
  freezeNode,
  killNode,
  loseFrames,
  mendCable,
  oneWay,
  restartNode,
  thawNode,
} from "./faults.ts";
import { type Lab, startLab } from "./lab.ts";

describe("faults", () => {
  let lab: Lab;
  before(async () => {
    lab = await startLab();
  });
  after(() => lab?.stop());

  /** Whether the pod of a node answers the host, asked once at the node's own address. */
  const answers = async (name: string, family: 0 | 1 = 0): Promise<boolean> => {
    const address = lab.node(name).addresses[family] ?? "";
    const url = `http://${address.includes(":") ? `[${address}]` : address}:8080/`;
    const curl = ["curl", "-gsS", "--max-time", "0.5", url];
    return lab
      .node("host")
      .exec(curl)
      .then(
        () => true,
        () => false,
      );
  };
  const untilAnswers = (name: string, family: 0 | 1 = 0) =>
    eventually(() => answers(name, family), { describe: `an answer of ${name}` });

  it("killNode() ends all in one node, which starts nothing again until restartNode()", async () => {
    await untilAnswers("node1");
    await killNode(lab, "node1");
    assert.equal(await answers("node1"), false);
    assert.equal(await answers("node2"), true);
    assert.throws(() => lab.node("node1").pid("bgpd"), { message: /does not run/ });
    await restartNode(lab, "node1");
    await untilAnswers("node1");
    assert.ok(lab.node("node1").pid("bgpd") > 0);
  });

  it("freezeNode() stops all in one node until thawNode()", async () => {
    freezeNode(lab, "node2");
    assert.equal(await answers("node2"), false);
    assert.equal(await answers("node1"), true);
    await thawNode(lab, "node2");
    await untilAnswers("node2");
  });

  for (const cut of CUTS) {
    it(`cutCable() takes a node off the network (${cut}) until mendCable()`, async () => {
      await cutCable(lab, "node3", cut);
      assert.equal(await answers("node3"), false);
      assert.equal(await answers("node1"), true);
      const [state = ""] = (await lab.node("node3").exec(["ip", "link", "show", "eth1"])).split(
        "\n",
      );
      assert.equal(state.includes("LOWER_UP"), cut === "port out of the bridge", state);
      await mendCable(lab, "node3", cut);
      await untilAnswers("node3", 0);
      await untilAnswers("node3", 1);
    });
  }

  it("loseFrames() splits nodes, or one direction of them, until it is given none", async () => {
    const ping = (from: string, to: string) => {
      const address = lab.node(to).addresses[0] ?? "";
      return lab
        .node(from)
        .exec(["ping", "-c", "1", "-W", "0.5", address])
        .then(
          () => true,
          () => false,
        );
    };
    // A kernel that got no answer asks for the hardware address once a second.
    const untilPing = (from: string, to: string) =>
      eventually(() => ping(from, to), { describe: `${from} to reach ${to}` });
    await loseFrames(lab, between(["node1"], ["node2", "node3"]));
    assert.equal(await ping("node1", "node2"), false);
    assert.equal(await ping("node3", "node1"), false);
    assert.equal(await ping("node2", "node3"), true);
    assert.equal(await ping("node1", "host"), true);
    await loseFrames(lab, oneWay(["node1"], ["host"]));
    await untilPing("node1", "node2");
    assert.equal(await ping("node1", "host"), false);
    await loseFrames(lab, []);
    await untilPing("node1", "host");
  });
});
