import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { inspect } from "node:util";
import { startApiServer } from "../../test/fakes/api-server.ts";
import { connect } from "../kube/connection.ts";
import { ADMITTED_MS, createReviewer, PER_SECOND, REFUSED_MS, REMEMBERED } from "./reviewer.ts";

async function started(t: TestContext) {
  const api = await startApiServer();
  const connection = connect({ kubeconfig: api.kubeconfigFile() });
  t.after(async () => {
    connection.close();
    await api.close();
  });
  api.users.set("good", "prometheus").set("poor", "nobody");
  api.allowed.add("prometheus");
  const clock = { nowMs: 0 };
  const errors: unknown[] = [];
  const review = createReviewer({
    connection,
    onError: (error) => errors.push(error),
    now: () => clock.nowMs,
  });
  const reviews = () => api.requests.map(({ path }) => path.split("/").at(-1));
  return { api, review, reviews, clock, errors };
}

const status = async (verdict: ReturnType<ReturnType<typeof createReviewer>>) => {
  const result = await verdict;
  return result.kind === "admitted" ? 200 : result.status;
};

describe("createReviewer()", () => {
  for (const header of [undefined, "", "Basic eDp5", "Bearer", "Bearer ", "Bearer a b"]) {
    it(`refuses ${inspect(header)} without asking anybody`, async (t) => {
      const { review, reviews } = await started(t);
      assert.equal(await status(review(header)), 401);
      assert.deepEqual(reviews(), []);
    });
  }

  it("admits who the API server knows and allows", async (t) => {
    const { api, review } = await started(t);
    assert.equal(await status(review("bearer good")), 200);
    const [token, access] = api.requests;
    assert.deepEqual(token?.body.spec, { token: "good" });
    assert.deepEqual(access?.body.spec, {
      user: "prometheus",
      groups: ["system:authenticated"],
      nonResourceAttributes: { path: "/metrics", verb: "get" },
    });
  });

  it("tells a token nobody knows from a user who may not", async (t) => {
    const { review } = await started(t);
    assert.deepEqual(await review("Bearer bad"), {
      kind: "refused",
      status: 401,
      message: "Unauthorized",
    });
    assert.deepEqual(await review("Bearer poor"), {
      kind: "refused",
      status: 403,
      message: "Authorization denied for user nobody",
    });
  });

  it("remembers good answers for a minute and bad ones for ten seconds", async (t) => {
    const { api, review, reviews, clock } = await started(t);
    for (let count = 0; count < 3; count++) {
      assert.equal(await status(review("Bearer good")), 200);
      assert.equal(await status(review("Bearer poor")), 403);
    }
    assert.equal(reviews().length, 4);
    api.allowed.add("nobody");
    clock.nowMs = REFUSED_MS - 1;
    assert.equal(await status(review("Bearer poor")), 403);
    clock.nowMs = REFUSED_MS;
    assert.equal(await status(review("Bearer poor")), 200);
    api.users.delete("good");
    clock.nowMs = ADMITTED_MS - 1;
    assert.equal(await status(review("Bearer good")), 200);
    clock.nowMs = ADMITTED_MS;
    assert.equal(await status(review("Bearer good")), 401);
  });

  it("a review that fails is 500, and asked again", async (t) => {
    const { api, review, errors } = await started(t);
    api.fault({ kind: "status", status: 403, path: /subjectaccessreviews/ });
    assert.deepEqual(await review("Bearer good"), {
      kind: "refused",
      status: 500,
      message: "Authorization for user prometheus failed",
    });
    assert.match(String(errors[0]), /subjectaccessreviews: 403/);
    assert.equal(await status(review("Bearer good")), 200);
  });

  it("asks once for those who come together, and not for too many at a time", async (t) => {
    const { api, review, reviews } = await started(t);
    api.fault({ kind: "slow", ms: 50, path: /tokenreviews/, times: 100 });
    const same = Array.from({ length: 5 }, () => status(review("Bearer good")));
    const others = Array.from({ length: 10 }, (_, index) => status(review(`Bearer ${index}`)));
    assert.deepEqual(await Promise.all(same), [200, 200, 200, 200, 200]);
    assert.deepEqual((await Promise.all(others)).toSorted(), [
      ...Array(3).fill(401),
      ...Array(7).fill(429),
    ]);
    assert.equal(reviews().filter((name) => name === "tokenreviews").length, 4);
  });

  it("does not forget who was admitted for those who were not", async (t) => {
    const { review, reviews, clock } = await started(t);
    assert.equal(await status(review("Bearer good")), 200);
    for (let index = 0; index <= REMEMBERED; index++) {
      clock.nowMs += 1000 / PER_SECOND;
      await review(`Bearer ${index}`);
    }
    const count = reviews().length;
    assert.equal(await status(review("Bearer good")), 200);
    assert.equal(reviews().length, count);
  });

  it("reviews who was admitted again, however many unknown ones are under way", async (t) => {
    const { api, review, clock } = await started(t);
    assert.equal(await status(review("Bearer good")), 200);
    clock.nowMs = ADMITTED_MS;
    api.fault({ kind: "slow", ms: 50, path: /tokenreviews/, times: 4 });
    const others = Array.from({ length: 10 }, (_, index) => status(review(`Bearer ${index}`)));
    assert.equal(await status(review("Bearer good")), 200);
    await Promise.all(others);
  });

  it("asks about so many unknown tokens in a second and no more", async (t) => {
    const { review, reviews, clock } = await started(t);
    assert.equal(await status(review("Bearer good")), 200);
    clock.nowMs = ADMITTED_MS;
    for (let index = 0; index < PER_SECOND; index++) {
      assert.equal(await status(review(`Bearer ${index}`)), 401);
    }
    const count = reviews().length;
    assert.equal(await status(review("Bearer new")), 429);
    assert.equal(await status(review("Bearer 0")), 401);
    assert.equal(reviews().length, count);
    assert.equal(await status(review("Bearer good")), 200);
    clock.nowMs += 1000;
    assert.equal(await status(review("Bearer new")), 401);
  });

  it("remembers no more than so many", async (t) => {
    const { api, review, reviews, clock } = await started(t);
    for (let index = 0; index <= REMEMBERED; index++) {
      api.users.set(`good${index}`, "prometheus");
      clock.nowMs += 1000 / PER_SECOND;
      assert.equal(await status(review(`Bearer good${index}`)), 200);
    }
    const count = reviews().length;
    await review(`Bearer good${REMEMBERED}`);
    assert.equal(reviews().length, count);
    clock.nowMs += 1000;
    await review("Bearer good0");
    assert.equal(reviews().length, count + 2);
  });
});
