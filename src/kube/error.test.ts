import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { errorOfAnswer, errorOfSilence, KubeError } from "./error.ts";

describe("errorOfAnswer()", () => {
  const status = (more: object) => JSON.stringify({ kind: "Status", ...more });
  for (const { when, code, retryAfter, body, reason, message, retryAfterMs } of [
    {
      when: "the answer is a Status",
      code: 409,
      body: status({ reason: "AlreadyExists", message: 'pods "a" already exists' }),
      reason: "AlreadyExists",
      message: 'Cannot GET /x: 409 AlreadyExists: pods "a" already exists',
    },
    {
      when: "a Status has no reason",
      code: 429,
      retryAfter: "2",
      body: status({ message: "too many" }),
      reason: "TooManyRequests",
      message: "Cannot GET /x: 429 TooManyRequests: too many",
      retryAfterMs: 2000,
    },
    {
      when: "a proxy answers in plain text",
      code: 503,
      retryAfter: "Wed, 21 Oct 2015 07:28:00 GMT",
      body: "no backend\n",
      reason: "ServiceUnavailable",
      message: "Cannot GET /x: 503 ServiceUnavailable: no backend",
    },
    {
      when: "there is no body",
      code: 418,
      body: "",
      reason: "Unknown",
      message: "Cannot GET /x: 418 Unknown: no message",
    },
    {
      when: "the body is JSON of something else",
      code: 500,
      retryAfter: "-1",
      body: "null",
      reason: "InternalError",
      message: "Cannot GET /x: 500 InternalError: null",
    },
  ]) {
    it(`says what was answered when ${when}`, () => {
      const error = errorOfAnswer("GET", "/x", code, retryAfter, body);
      assert.deepEqual(
        [error.status, error.reason, error.message, error.retryAfterMs],
        [code, reason, message, retryAfterMs],
      );
    });
  }
});

describe("errorOfSilence()", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED ::1:1"), { code: "ECONNREFUSED" });
  for (const { when, cause, reason, detail } of [
    {
      when: "the system has a code",
      cause: refused,
      reason: "ECONNREFUSED",
      detail: refused.message,
    },
    {
      when: "all addresses of a name were tried",
      cause: new AggregateError([refused, new Error("other")]),
      reason: "ECONNREFUSED",
      detail: refused.message,
    },
    { when: "there is no code", cause: new TypeError("bad"), reason: "TypeError", detail: "bad" },
    { when: "it is no Error", cause: "text", reason: "Error", detail: "text" },
  ]) {
    it(`says why there was no answer when ${when}`, () => {
      const error = errorOfSilence("GET", "/x", cause);
      assert.deepEqual(
        [error.status, error.reason, error.message, error.cause],
        [undefined, reason, `Cannot GET /x: ${reason}: ${detail}`, cause],
      );
    });
  }

  it("leaves a KubeError as it is", () => {
    const error = errorOfAnswer("GET", "/x", 404, undefined, "");
    assert.equal(errorOfSilence("PUT", "/y", error), error);
    assert.ok(error instanceof KubeError);
  });
});
