// npx jsr add @tessera/session && npm install @deno/kv tsx && npx tsx examples/node.ts

import { createServer, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { env, stderr, stdout } from "node:process";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { openKv } from "@deno/kv";
import { crossOriginProtection, KvStore, withSession } from "@tessera/session";

const kv = await openKv(env.KV_PATH ?? "./sessions.db");

const handler = crossOriginProtection(withSession((request, session) => {
  const { pathname } = new URL(request.url);
  if (pathname === "/logout" && request.method === "POST") {
    session.logout();
    return new Response("Signed out\n");
  }
  if (pathname !== "/") return new Response("Not found\n", { status: 404 });
  const count = session.get<number>("count") ?? 0;
  session.set("count", count + 1);
  return Response.json({ count });
}, { store: new KvStore(kv) }));

function toRequest(incoming: IncomingMessage): Request {
  const { method = "GET", url, headersDistinct } = incoming;
  const headers = Object.entries(headersDistinct).flatMap(([name, values]) =>
    (values ?? []).map((value): [string, string] => [name, value])
  );
  const hasBody = method !== "GET" && method !== "HEAD";
  return new Request(`http://${incoming.headers.host}${url}`, {
    method,
    headers,
    body: hasBody ? Readable.toWeb(incoming) as ReadableStream : null,
    ...(hasBody && { duplex: "half" }), // Node asks for it
  });
}

const server = createServer(async (incoming, outgoing) => {
  try {
    const response = await handler(toRequest(incoming));
    outgoing.statusCode = response.status;
    for (const [name, value] of response.headers) {
      outgoing.appendHeader(name, value);
    }
    if (response.body === null) outgoing.end();
    else await pipeline(Readable.fromWeb(response.body), outgoing);
  } catch (error) {
    stderr.write(`${error instanceof Error ? error.stack : error}\n`);
    if (!outgoing.headersSent) outgoing.writeHead(500);
    outgoing.end();
  }
});
server.listen(Number(env.PORT ?? 8000), "localhost", () => {
  const { port } = server.address() as AddressInfo;
  stdout.write(`Listening on http://localhost:${port}\n`);
});
