// Runs as a process on the administrator's machine of the walk: a web server for the files of a
// folder, which stands for the sites that the guide fetches chart and manifest from.

import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const REPOSITORY_PROGRAM = fileURLToPath(import.meta.url);

if (process.argv[1] === REPOSITORY_PROGRAM) {
  const [, , folder = "", port = ""] = process.argv;
  const server = createServer(async ({ url = "/" }, response) => {
    try {
      const path = normalize(new URL(url, "http://localhost").pathname);
      response.end(await readFile(join(folder, path)));
    } catch {
      response.writeHead(404).end("not found\n");
    }
  });
  server.listen(Number(port), () => console.log("listening"));
}
