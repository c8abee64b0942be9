// Writes docs/seed-guide.md: the walk's sections, notes, commands and outputs, and the table of what
// was done instead of what. Also takes the outputs out again, to compare a document with the steps.

import { fileURLToPath } from "node:url";
import { type Place, SECTIONS, type Section, type Step, sampleText } from "./steps.ts";

export const DOCUMENT_PATH = fileURLToPath(new URL("../../../docs/seed-guide.md", import.meta.url));

const PROMPTS = {
  administrator: "$",
  client: "client$",
  router1: "router1#",
  router2: "router2#",
} as const satisfies Record<Place, string>;

const LINE_WIDTH = 100;

const INTRODUCTION = `# A guide to MetalLB, walked through

A widely read guide, "MetalLB - Load Balancer for Bare Metal Kubernetes Clusters", with its commands
in their order and what they print with this project. No output is typed by hand: the walk,
\`test/install/seed-guide/\`, ran each command and wrote this page; a test walks again and looks at each
output.

    node test/install/seed-guide/main.ts    walks and writes this page

What it runs on: a real API server, scheduler and controllers, two workers, two routers and a client
with the guide's addresses in network namespaces (\`test/install/seed-guide/containerlab.yml\`), real FRR
and BIRD, and kube-proxy. There is no container engine: a double of the kubelet runs the Pods'
containers as processes, ours from the files of our image with the user, capabilities and mounts of
the Pod, FRR from Debian's packages, and a small web server for \`nginx:1.21\`.

\`$\` is the administrator's shell, \`client$\` the client machine; \`router1\` is 192.168.0.1 (FRR) and
\`router2\` 192.168.0.2 (BIRD), both AS 64501. Files are saved from the guide's text and are in
\`config/samples/seed-guide/\`.
`;

/** The whole document; `outputOf` gives what a step printed. */
export function formatDocument(outputOf: (step: Step) => string): string {
  const sections = SECTIONS.map((section) => formatSection(section, outputOf));
  return `${[INTRODUCTION, ...sections, formatTable()].join("\n")}`;
}

/** The document without the outputs, which differ from run to run. */
export function withoutOutputs(document: string): string {
  return document.replaceAll(/^```console\n(.*)\n[\s\S]*?^```$/gm, "```console\n$1\n```");
}

function formatSection(section: Section, outputOf: (step: Step) => string): string {
  const { title, text, files = [], steps } = section;
  return [
    `## ${title}\n`,
    wrapped(text).trimEnd(),
    "",
    ...files.map(
      ({ name, sample }) => `\`${name}\`:\n\n\`\`\`yaml\n${sampleText(sample).trimEnd()}\n\`\`\`\n`,
    ),
    ...steps.map((step) => `${note(step)}${formatConsole(step, outputOf(step))}`),
  ].join("\n");
}

function formatConsole({ place, command }: Step, output: string): string {
  const lines = [`${PROMPTS[place]} ${command}`, ...(output === "" ? [] : [output])];
  return `\`\`\`console\n${lines.join("\n")}\n\`\`\`\n`;
}

function note({ origin }: Step): string {
  switch (origin.kind) {
    case "as written":
      return "";
    case "replaced":
      return wrapped(`In the place of \`${origin.written}\`: ${origin.why}.`);
    case "added":
      return wrapped(`Not in the guide: ${origin.why}.`);
  }
}

/** A paragraph in lines; code stays on one. */
function wrapped(text: string): string {
  const lines = [""];
  for (const word of text.match(/[^\s`]*`[^`]*`\S*|\S+/g) ?? []) {
    const line = lines.at(-1) ?? "";
    if (line === "") lines[lines.length - 1] = word;
    else if (line.length + word.length < LINE_WIDTH) lines[lines.length - 1] = `${line} ${word}`;
    else lines.push(word);
  }
  return `${lines.join("\n")}\n\n`;
}

/** A row for each command of the guide, at its first place. */
function formatTable(): string {
  const rows = new Map<string, string>();
  for (const { origin, command } of SECTIONS.flatMap(({ steps }) => steps)) {
    if (origin.kind === "added") continue;
    const [written, what] =
      origin.kind === "as written"
        ? [command, "yes | "]
        : [origin.written, `no | ${code(command)}: ${origin.why}`];
    if (!rows.has(written)) rows.set(written, `| ${code(written)} | ${what} |`);
  }
  const same = [...rows.values()].filter((row) => row.includes("| yes |")).length;
  return [
    "## Each command\n",
    `${same} of ${rows.size} as written.\n`,
    "| Command of the guide | As written | What was done instead |",
    "|---|---|---|",
    ...rows.values(),
    "",
  ].join("\n");
}

/** For a cell of a table. */
function code(text: string): string {
  return `\`${text.replaceAll("|", "\\|")}\``;
}
