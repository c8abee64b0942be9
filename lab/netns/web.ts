// Runs as a process in a node's network namespace and plays the pod: answers every HTTP request on
// port 8080 with the text it was started with.

import { createServer } from "node:http";
import { fileURLToPath } from "node:url";

export const WEB_PORT = 8080;
export const WEB_PROGRAM = fileURLToPath(import.meta.url);

if (process.argv[1] === WEB_PROGRAM) {
  const server = createServer((_, response) => {
    response.writeHead(200, { "content-type": "text/plain", connection: "close" });
    response.end(`${process.argv[2]}\n`);
  });
  server.listen(WEB_PORT, "::", () => process.send?.("listening"));
}
