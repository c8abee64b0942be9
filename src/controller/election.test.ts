// One candidate with an API server double; somebody else's part in the election is played by the test.

import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { eventually } from "../../test/cluster/eventually.ts";
import { type Manifest, startApiServer } from "../../test/fakes/api-server.ts";
import { connect } from "../kube/connection.ts";
import { type LeaseSpec, leaseFolder, microTime } from "../kube/lease.ts";
import { startElection, type Term } from "./election.ts";

const PLACE = { namespace: "metallb-system", name: "metallb-controller" };
const PATH = `${leaseFolder(PLACE.namespace)}/${PLACE.name}`;

async function started(t: TestContext, { renewals = false } = {}) {
  const api = await startApiServer();
  const hold = (spec: LeaseSpec = {}) =>
    api.put({
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: PLACE,
      spec: {
        holderIdentity: "b",
        leaseDurationSeconds: 1,
        acquireTime: "2026-01-02T03:04:05.000000Z",
        renewTime: microTime(Date.now()),
        ...spec,
      },
    } as Manifest);
  if (renewals) hold();
  const connection = connect({ kubeconfig: api.kubeconfigFile() });
  const problems: (string | undefined)[] = [];
  const terms: Term[] = [];
  const election = startElection({
    connection,
    ...PLACE,
    identity: "a",
    durationMs: 1000,
    onLeading: (term) => terms.push(term),
    onLost: () => {},
    onProblem: (problem) => problems.push(problem),
  });
  t.after(async () => {
    await election.close({ release: false });
    connection.close();
    await api.close();
  });
  const spec = (): LeaseSpec => api.get(PATH)?.spec ?? {};
  return { api, election, hold, problems, terms, spec };
}

describe("startElection()", () => {
  it("a candidate that could not write is well again when another leads", async (t) => {
    const { api, election, hold, problems } = await started(t, { renewals: true });
    api.fault({ kind: "hang", verb: "update" });
    await eventually(() => api.count("update") > 0, { describe: "the attempt to take over" });
    const other = setInterval(hold, 100);
    t.after(() => clearInterval(other));
    hold();
    await eventually(() => problems.length > 0, { describe: "the end of the attempt" });
    await eventually(() => election.waitingFor().length === 0, {
      describe: "the candidate to stand by",
      timeoutMs: 3000,
    });
    assert.equal(election.holder(), "b");
    assert.equal(problems.at(-1), undefined);
  });

  it("one that may not write says so until it may", async (t) => {
    const { api, election, problems, terms } = await started(t);
    const mend = api.fault({ kind: "status", status: 403, verb: "create", times: 1000 });
    await eventually(() => api.count("create") > 3, { describe: "several attempts" });
    assert.equal(election.waitingFor().length, 1);
    assert.equal(problems.length, 1);
    mend();
    await eventually(() => terms.length > 0, { describe: "it to lead" });
    await eventually(() => election.waitingFor().length === 0, { describe: "it to be well" });
    assert.deepEqual(problems.slice(1), [undefined]);
  });

  it("writes the time of day, also after somebody set the clock", async (t) => {
    const { terms, spec } = await started(t);
    await eventually(() => terms.length > 0, { describe: "it to lead" });
    t.mock.timers.enable({ apis: ["Date"], now: Date.UTC(2040, 0, 1) });
    await eventually(() => spec().renewTime?.startsWith("2040-01-01T"), {
      describe: "a renewal",
      timeoutMs: 3000,
    });
    assert.equal(terms.length, 1);
    assert.equal(terms[0]?.isValid(), true);
  });
});
