// What a failed call says.

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { checked, SystemError } from "./system-error.ts";

const wants = { EPERM: "the capability NET_RAW" };

describe("checked()", () => {
  it("passes on what is no error", () => {
    assert.equal(checked(0, "bind", "bind"), 0);
    assert.equal(checked(7, "socket", "open"), 7);
  });

  const rows: readonly (readonly [string, number, string, string])[] = [
    [
      "an error with its remedy",
      -1,
      "EPERM",
      "Cannot open it: socket says EPERM (operation not permitted), want the capability NET_RAW",
    ],
    [
      "an error without one",
      -97,
      "EAFNOSUPPORT",
      "Cannot open it: socket says EAFNOSUPPORT (address family not supported)",
    ],
    ["an unknown number", -4000, "E4000", "Cannot open it: socket says E4000 (unknown error)"],
  ];
  for (const [what, result, code, message] of rows) {
    it(`throws ${what}`, () => {
      assert.throws(
        () => checked(result, "socket", "open it", wants),
        (error) => {
          assert(error instanceof SystemError);
          assert.deepEqual(
            [error.call, error.errno, error.code, error.message],
            ["socket", -result, code, message],
          );
          return true;
        },
      );
    });
  }
});
