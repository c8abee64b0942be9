import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Flags, type Program, parseFlags } from "./flags.ts";

const program = {
  name: "speaker",
  summary: "Announces addresses.",
  flags: {
    port: { type: "number", default: 9120, min: 0, max: 65535, help: "Port of /metrics" },
    mlBindport: {
      type: "number",
      default: 7946,
      min: 1,
      max: 65535,
      env: "METALLB_ML_BIND_PORT",
      help: "Port of probes",
    },
    nodeName: { type: "string", default: undefined, env: "METALLB_NODE_NAME", help: "Our Node" },
    lbClass: { type: "string", default: "", help: "Class of Services" },
    logLevel: { type: "string", default: "info", choices: ["info", "none"], help: "How much" },
    ignoreExcludeLb: { type: "boolean", default: false, help: "Ignore the label" },
    drain: { type: "duration", defaultMs: 5000, help: "Wait before the end" },
  },
} as const satisfies Program<Flags>;

const defaults = {
  port: 9120,
  mlBindport: 7946,
  nodeName: undefined,
  lbClass: "",
  logLevel: "info",
  ignoreExcludeLb: false,
  drain: 5000,
};

describe("parseFlags()", () => {
  for (const { when, args = [], env = {}, expected } of [
    { when: "nothing is given", expected: {} },
    { when: "a value follows =", args: ["--port=1"], expected: { port: 1 } },
    { when: "a value is the next argument", args: ["--port", "1"], expected: { port: 1 } },
    {
      when: "there is one dash",
      args: ["-port=1", "-lb-class", "a"],
      expected: { port: 1, lbClass: "a" },
    },
    {
      when: "the value begins with a dash",
      args: ["--lb-class", "-x"],
      expected: { lbClass: "-x" },
    },
    {
      when: "the value has = and line breaks",
      args: ["--lb-class=a=b\nc"],
      expected: { lbClass: "a=b\nc" },
    },
    { when: "the value is empty", args: ["--lb-class="], expected: { lbClass: "" } },
    { when: "a flag is repeated", args: ["--port=1", "--port=2"], expected: { port: 2 } },
    {
      when: "a switch stands alone",
      args: ["--ignore-exclude-lb", "--port=1"],
      expected: { ignoreExcludeLb: true, port: 1 },
    },
    {
      when: "a switch is turned off",
      args: ["--ignore-exclude-lb", "--ignore-exclude-lb=F"],
      expected: {},
    },
    { when: "a duration has several units", args: ["--drain=1m0.5s"], expected: { drain: 60_500 } },
    {
      when: "a duration is finer than a millisecond",
      args: ["--drain=1500us"],
      expected: { drain: 1.5 },
    },
    { when: "a choice is made", args: ["--log-level=none"], expected: { logLevel: "none" } },
    {
      when: "the environment has a value",
      env: { METALLB_NODE_NAME: "n1", METALLB_ML_BIND_PORT: "5" },
      expected: { nodeName: "n1", mlBindport: 5 },
    },
    { when: "the environment has an empty value", env: { METALLB_ML_BIND_PORT: "" }, expected: {} },
    {
      when: "flag and environment differ",
      args: ["--ml-bindport=6"],
      env: { METALLB_ML_BIND_PORT: "5" },
      expected: { mlBindport: 6 },
    },
  ]) {
    it(`reads values when ${when}`, () => {
      assert.deepEqual(parseFlags(program, args, env), {
        kind: "values",
        values: { ...defaults, ...expected },
        operands: [],
      });
    });
  }

  for (const { args = [], env = {}, message } of [
    { args: ["--prot=1"], message: "Unknown flag --prot: --help lists what there is" },
    { args: ["---port=1"], message: 'Cannot read flag "---port=1": want --name=value' },
    {
      args: ["--port"],
      message: "Cannot take flag --port without a value: want a whole number from 0 to 65535",
    },
    { args: ["--port="], message: 'Cannot take --port "": want a whole number from 0 to 65535' },
    {
      args: ["--port=65536"],
      message: 'Cannot take --port "65536": want a whole number from 0 to 65535',
    },
    {
      args: ["--port=-1"],
      message: 'Cannot take --port "-1": want a whole number from 0 to 65535',
    },
    {
      args: ["--port=0x10"],
      message: 'Cannot take --port "0x10": want a whole number from 0 to 65535',
    },
    {
      args: ["--log-level=loud"],
      message: 'Cannot take --log-level "loud": want one of info, none',
    },
    {
      args: ["--ignore-exclude-lb=yes"],
      message: 'Cannot take --ignore-exclude-lb "yes": want true or false',
    },
    {
      args: ["--drain=5"],
      message: 'Cannot take --drain "5": want a duration such as 300ms or 1m30s',
    },
    {
      args: ["--drain=-5s"],
      message: 'Cannot take --drain "-5s": want a duration such as 300ms or 1m30s',
    },
    {
      env: { METALLB_ML_BIND_PORT: "x" },
      message: 'Cannot take $METALLB_ML_BIND_PORT "x": want a whole number from 1 to 65535',
    },
    {
      args: ["start"],
      message: 'Cannot take argument "start": want only flags, --help lists them',
    },
  ]) {
    it(`refuses ${[...args, ...Object.values(env)].join(" ")}`, () => {
      assert.deepEqual(parseFlags(program, args, env), { kind: "refused", message });
    });
  }

  it("returns what is no flag as operands when the program takes them", () => {
    const parsed = parseFlags(
      { ...program, operands: "FILE..." },
      ["a", "--port=1", "-", "--", "-b"],
      {},
    );
    assert.deepEqual(parsed, {
      kind: "values",
      values: { ...defaults, port: 1 },
      operands: ["a", "-", "-b"],
    });
  });

  for (const arg of ["-h", "--help", "-help"]) {
    it(`answers ${arg} with every flag, its default and its variable`, () => {
      const parsed = parseFlags(program, [arg, "--unknown"], {});
      assert.deepEqual(parsed, {
        kind: "help",
        text: `Usage: speaker [flags]

Announces addresses.

Flags, with one dash or two:
  --port number
        Port of /metrics; default 9120
  --ml-bindport number
        Port of probes; $METALLB_ML_BIND_PORT; default 7946
  --node-name string
        Our Node; $METALLB_NODE_NAME
  --lb-class string
        Class of Services
  --log-level string
        How much; one of info, none; default info
  --ignore-exclude-lb
        Ignore the label; default false
  --drain duration
        Wait before the end; default 5000ms
`,
      });
    });
  }
});
