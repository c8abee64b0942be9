// The flags of the subcommands of the command line tool.

import type { Flags, Program } from "../flags.ts";
import { HEALTH_PROBE_PORT } from "../ports.ts";

export const MIRROR_STATUS = {
  name: "metallb mirror-status",
  summary: "Prints the state of the speaker on this node: run it in the speaker's container.",
  flags: {
    o: {
      type: "string",
      default: "table",
      choices: ["table", "json"],
      help: "how to print it",
    },
    port: {
      type: "number",
      default: HEALTH_PROBE_PORT,
      min: 1,
      max: 65535,
      env: "METALLB_STATE_PORT",
      help: "where the speaker serves its state on loopback: its --health-probe-port",
    },
  },
} as const satisfies Program<Flags>;
