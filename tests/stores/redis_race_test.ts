import { assertEquals } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { RedisStore } from "@tessera/session/redis";
import { ROOT, stdArguments } from "../../tools/std.ts";
import { get, getWith, tokenOf } from "../_helpers.ts";
import { withRedis } from "./_redis.ts";

const test = withRedis();

const PROCESSES = 4;
const TIMES = 250;

test("RedisStore loses no update when four processes write one session", async ({ redis, client }) => {
  const prefix = "{race}";
  const store = new RedisStore(client, { prefix });
  const sessions = new SessionManager({ store });
  const token = tokenOf(
    await sessions.handle(get(), (session) => {
      session.set("count", 0);
      return new Response();
    }),
  );
  const args = [redis.url, prefix, token, String(TIMES), String(PROCESSES)];
  const racers = await Promise.all(
    Array.from({ length: PROCESSES }, async () => {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), {
        args: [
          ...["run", "--no-prompt", ...await stdArguments()],
          ...["--allow-net=127.0.0.1", "--allow-env", "--allow-sys"],
          ...["--allow-read", "tests/stores/_redis_racer.ts", ...args],
        ],
        cwd: ROOT,
        env: { NO_COLOR: "1" },
        stdin: "null",
      }).output();
      return { code, error: new TextDecoder().decode(stderr) };
    }),
  );
  for (const { code, error } of racers) assertEquals(code, 0, error);
  await sessions.handle(getWith(token), (session) => {
    assertEquals(session.get("count"), PROCESSES * TIMES);
    return new Response();
  });
});
