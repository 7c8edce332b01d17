// deno-lint-ignore-file no-console
// `@fastify/session` with Fastify on Node, in memory.

import { createRequire } from "node:module";
import process from "node:process";

const require = createRequire(`${process.env.BENCH_PACKAGES}/server.js`);
const fastify = require("fastify");
const profile = JSON.parse(process.env.BENCH_PROFILE);

const app = fastify();
app.register(require("@fastify/cookie"));
app.register(require("@fastify/session"), {
  secret: process.env.BENCH_SECRET,
  cookie: { secure: false },
  saveUninitialized: false,
});

function increment(request) {
  const count = (request.session.get("count") ?? 0) + 1;
  request.session.set("count", count);
  return String(count);
}

app.get("/init", (request, reply) => {
  request.session.set("profile", profile);
  request.session.set("count", 1);
  reply.send("1");
});
app.get("/read", (request, reply) => {
  reply.send(String(request.session.get("count") ?? 0));
});
app.get("/write", (request, reply) => reply.send(increment(request)));
app.get("/increment", (request, reply) => reply.send(increment(request)));

process.stdin.on("end", () => process.exit()).resume();
console.log(`listening on ${await app.listen({ host: "127.0.0.1", port: 0 })}`);
