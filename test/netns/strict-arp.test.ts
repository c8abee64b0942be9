// The settings by which a kernel answers ARP for addresses of kube-proxy's IPVS mode, read where they
// are: in a network namespace of this test.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { after, before, describe, it } from "node:test";
import { newLabId } from "../../lab/netns/identity.ts";

const STRICT_ARP = new URL("../../src/l2/strict-arp.ts", import.meta.url);
const netns = `${newLabId()}-strict-arp`;

function ip(...args: readonly string[]): void {
  execFileSync("ip", args, { stdio: ["ignore", "ignore", "inherit"] });
}

/** What a speaker in the namespace would find wrong. */
function problem(): string | undefined {
  const program = `
    import { readArpIgnore, strictArpProblem } from ${JSON.stringify(STRICT_ARP.href)};
    console.log(JSON.stringify(strictArpProblem(readArpIgnore(["eth0"])) ?? null));`;
  const args = ["netns", "exec", netns, process.execPath, "--input-type=module-typescript"];
  const said = execFileSync("ip", [...args, "--eval", program], { encoding: "utf8" });
  return JSON.parse(said) ?? undefined;
}

function set(name: string, value: number): void {
  const path = `/proc/sys/net/ipv4/conf/${name}/arp_ignore`;
  ip("netns", "exec", netns, "sh", "-c", `echo ${value} > ${path}`);
}

describe("strictARP", () => {
  before(() => {
    ip("netns", "add", netns);
    ip("-n", netns, "link", "add", "eth0", "type", "veth", "peer", "name", "eth1");
  });
  after(() => ip("netns", "delete", netns));

  it("is no matter where kube-proxy is not in IPVS mode", () => {
    assert.equal(problem(), undefined);
  });

  it("is missed where kube-proxy has put its interface, until it is set", () => {
    // kube-proxy's is a dummy; the name is what counts.
    ip("-n", netns, "link", "add", "kube-ipvs0", "type", "bridge");
    assert.match(problem() ?? "", /without strictARP: .* on eth0,/);
    set("all", 1);
    assert.equal(problem(), undefined);
    set("all", 0);
    set("eth0", 1);
    assert.equal(problem(), undefined);
  });
});
