/**
 * One request at a time, in process and without sockets: ours and by hand, in turn.
 *
 * @module
 */

import { getCookies } from "@std/http/cookie";
import { SessionManager, withSession } from "@tessera/session";
import { PROFILE } from "./_data.ts";
import { median } from "./_statistics.ts";

/** For each request that is counted, so many that are not come first. */
const WARM_UP_FRACTION = 0.25;

/** The most that ours may take more, in microseconds. */
export const EXTRA_TARGETS_US = { read: 8, write: 15 } as const;

/** What one request takes, in microseconds. */
export interface OneAtATime {
  /** What is done. */
  readonly step: "read" | "write";
  /** Medians. */
  readonly byHand: number;
  /** Medians. */
  readonly ours: number;
  /** The median of what ours took more than the request by hand beside it. */
  readonly extra: number;
}

/**
 * Measures.
 *
 * @param folder A temporary folder, for a KV file each.
 * @param requests How many requests of each kind.
 */
export async function measureOneAtATime(
  folder: string,
  requests: number,
): Promise<OneAtATime[]> {
  using byHandKv = await Deno.openKv(`${folder}/one_by_hand.db`);
  using oursKv = await Deno.openKv(`${folder}/one_ours.db`);
  const byHand = await prepareByHand(byHandKv);
  const ours = await prepareOurs(oursKv);
  const results: OneAtATime[] = [];
  for (const step of ["read", "write"] as const) {
    const [first, second] = await race(byHand[step], ours[step], requests);
    results.push({
      step,
      byHand: median(first),
      ours: median(second),
      extra: median(second.map((time, index) => time - (first[index] ?? 0))),
    });
  }
  return results;
}

/** Runs two in turn, the one that goes first changing; resolves to their times. */
async function race(
  one: () => Promise<unknown>,
  other: () => Promise<unknown>,
  count: number,
): Promise<[number[], number[]]> {
  const times: [number[], number[]] = [[], []];
  const warmUp = Math.ceil(count * WARM_UP_FRACTION);
  for (let index = 0; index < count + warmUp; index++) {
    const order = index % 2 === 0 ? [0, 1] as const : [1, 0] as const;
    for (const which of order) {
      const start = performance.now();
      await (which === 0 ? one() : other());
      const time = (performance.now() - start) * 1_000;
      if (index >= warmUp) times[which].push(time);
    }
  }
  return times;
}

interface Steps {
  readonly read: () => Promise<unknown>;
  readonly write: () => Promise<unknown>;
}

async function prepareByHand(kv: Deno.Kv): Promise<Steps> {
  const id = crypto.randomUUID();
  await kv.set(["sessions", id], { profile: PROFILE, count: 1 });
  const headers = { cookie: `session=${id}` };
  let writes = 0;
  const read = async (request: Request) => {
    const id = getCookies(request.headers).session ?? "";
    const { value } = await kv.get<{ count: number }>(["sessions", id]);
    return new Response(String(value?.count ?? 0));
  };
  const write = async (request: Request) => {
    const id = getCookies(request.headers).session ?? "";
    const count = ++writes;
    await kv.set(["sessions", id], { profile: PROFILE, count });
    return new Response(String(count));
  };
  return {
    read: () => read(new Request("http://localhost/", { headers })),
    write: () => write(new Request("http://localhost/", { headers })),
  };
}

async function prepareOurs(kv: Deno.Kv): Promise<Steps> {
  const sessions = new SessionManager({ store: kv });
  const init = withSession((_request, session) => {
    session.set("profile", PROFILE);
    session.set("count", 1);
    return new Response("1");
  }, sessions);
  const begun = await init(new Request("http://localhost/"));
  const [cookie = ""] = begun.headers.getSetCookie();
  const headers = { cookie: cookie.slice(0, cookie.indexOf(";")) };
  const read = withSession(
    (_request, session) => new Response(String(session.get("count") ?? 0)),
    sessions,
  );
  const write = withSession((_request, session) => {
    const count = (session.get<number>("count") ?? 0) + 1;
    session.set("count", count);
    return new Response(String(count));
  }, sessions);
  return {
    read: () => read(new Request("http://localhost/", { headers })),
    write: () => write(new Request("http://localhost/", { headers })),
  };
}
