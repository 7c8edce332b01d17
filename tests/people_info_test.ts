/**
 * What is shown of sessions: enough for a list of devices, and no credential.
 */

import { assert, assertEquals } from "@std/assert";
import { type SessionInfo, SessionManager } from "@tessera/session";
import { TestClock } from "@tessera/session/testing";
import { getWith, inspect, testOnStores } from "./_helpers.ts";
import { Visitor } from "./_visitor.ts";

testOnStores(
  "SessionManager.get() and list() tell id, subject, label and the four times",
  async ({ store }) => {
    const clock = new TestClock();
    const sessions = new SessionManager({
      store,
      clock: clock.now,
      idleTimeout: { hours: 1 },
    });
    const visitor = new Visitor(sessions);
    const createdAt = clock.now();
    await visitor.visit((session) => session.set("n", 1));
    clock.advance({ minutes: 1 });
    const authenticatedAt = clock.now();
    const id = await visitor.visit((session) => {
      session.login("ada", { label: "Ada's phone" });
      return session.id;
    });
    clock.advance({ minutes: 10 });
    await visitor.visit((session) => session.get("n"));

    const expected: SessionInfo = {
      id,
      subject: "ada",
      label: "Ada's phone",
      createdAt,
      authenticatedAt,
      lastSeenAt: clock.now(),
      expiresAt: clock.now() + 3_600_000,
    };
    assertEquals(await sessions.get(id), expected);
    assertEquals(await Array.fromAsync(sessions.list({ subject: "ada" })), [
      expected,
    ]);

    const anonymous = new Visitor(sessions);
    const other = await anonymous.visit((session) => {
      session.set("n", 1);
      return session.id;
    });
    assertEquals(await sessions.get(other), {
      id: other,
      subject: undefined,
      label: undefined,
      createdAt: clock.now(),
      authenticatedAt: undefined,
      lastSeenAt: clock.now(),
      expiresAt: clock.now() + 3_600_000,
    });
  },
);

testOnStores(
  "the app may remember of a device what it likes; nothing is recorded unasked",
  async ({ store, dump }) => {
    const sessions = new SessionManager({ store });
    const headers = {
      "user-agent": "Netscape/4.08",
      "x-forwarded-for": "203.0.113.9",
      "accept-language": "tlh",
    };
    await sessions.handle(
      new Request("https://example.com/from", { headers }),
      (session) => {
        session.login("ada");
        return new Response();
      },
    );
    const stored = await dump();
    for (const unasked of ["Netscape", "203.0.113.9", "tlh", "/from"]) {
      assert(!stored.includes(unasked), unasked);
    }
    const visitor = new Visitor(sessions);
    const id = await visitor.visit((session) => {
      session.login("ada", { label: "Firefox on Linux" });
      session.set("device", { city: "Ulm" });
      return session.id;
    });
    assertEquals((await sessions.get(id))?.label, "Firefox on Linux");
    assertEquals(await sessions.edit(id, (session) => session.get("device")), {
      city: "Ulm",
    });
  },
);

testOnStores(
  "R27 listing exposes nothing that is of use as a credential",
  async ({ store, dump }) => {
    for (const secrets of [undefined, ["k".repeat(32)]]) {
      const sessions = new SessionManager({ store, secrets });
      const visitor = new Visitor(sessions);
      const id = await visitor.visit((session) => {
        session.login("ada");
        session.set("pin", "4711");
        return session.id;
      });
      const [, secret = "", mac] = visitor.token.split(".");
      const infos = [
        await sessions.get(id),
        ...await Array.fromAsync(sessions.list()),
        ...await Array.fromAsync(sessions.list({ subject: "ada" })),
      ];
      const shown = inspect(infos) + JSON.stringify(infos);
      assert(!shown.includes(secret));
      assert(mac === undefined || !shown.includes(mac));
      assert(!shown.includes("4711"));
      assert(!shown.toLowerCase().includes("hash"));

      // every string that is shown, or stored, sent as a token
      const strings = new Set(`${shown} ${await dump()}`.match(/[\w-]{20,}/g));
      for (const text of strings) {
        if (text === secret) throw new Error("the store holds the secret");
        for (const token of [text, `${id}.${text}`]) {
          const response = await sessions.handle(
            getWith(token),
            (session) => new Response(session.subject ?? "nobody"),
          );
          assertEquals(await response.text(), "nobody");
        }
      }
    }
  },
);

testOnStores(
  "odd ids are undefined to get() and edit(), and false to revoke()",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const ids = [
      "",
      "x",
      "__proto__",
      "\ud800",
      "\0",
      "01ARZ3NDEKTSV4RRFFQ69G5FAV",
      "x".repeat(10_000),
      "a:b",
      undefined,
      null,
      7,
      {},
    ];
    for (const id of ids as string[]) {
      assertEquals(await sessions.get(id), undefined, String(id).slice(0, 30));
      assertEquals(await sessions.revoke(id), false);
      assertEquals(
        await sessions.edit(id, () => assert(false, "there is none")),
        undefined,
      );
    }
  },
);
