// A double of the program in the image nginx:1.21: answers every HTTP request on port 80 with the name
// of its Pod.

import { createServer } from "node:http";
import { hostname } from "node:os";

const server = createServer((_, response) => {
  response.writeHead(200, { "content-type": "text/plain" }).end(`Answered by ${hostname()}\n`);
});
server.listen(80, "::");
process.on("SIGTERM", () => process.exit(0));
