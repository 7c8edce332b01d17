import { assertEquals, assertRejects, assertThrows } from "@std/assert";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { MemoryStore, type Session, SessionManager } from "@tessera/session";
import { TestClient } from "@tessera/session/testing";
import { testOnSpyStores } from "./_spy_store.ts";
import { Visitor } from "./_visitor.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

/** Takes every value of a kind. */
function takeAll(session: Session, kind = "notice"): unknown[] {
  const values: unknown[] = [];
  for (
    let value = session.flash(kind);
    value !== undefined;
    value = session.flash(kind)
  ) values.push(value);
  return values;
}

Deno.test("Session.flash() queues by kind, and each read takes the oldest", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.flash("notice", "first");
    session.flash("error", "other");
    session.flash("notice", "second");
  });
  await visitor.visit((session) => session.flash("notice", "third"));
  await visitor.visit((session) => {
    assertEquals(session.flash("none"), undefined);
    assertEquals(session.flash("notice"), "first");
    assertEquals(session.flash("notice"), "second");
  });
  await visitor.visit((session) => {
    assertEquals(session.flash("notice"), "third");
    assertEquals(session.flash("notice"), undefined);
    assertEquals(session.flash("error"), "other");
  });
  assertEquals(await visitor.visit((session) => takeAll(session)), []);
  assertEquals(await visitor.visit((session) => takeAll(session, "error")), []);
});

Deno.test("Session.flash() is no part of the data", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.flash("notice", "hi");
    session.set("notice", "data");
    assertEquals([...session.entries()], [["notice", "data"]]);
    session.clear();
  });
  assertEquals(await visitor.read(), []);
  assertEquals(await visitor.visit((session) => takeAll(session)), ["hi"]);
});

Deno.test("Session.flash() can be taken by the request that queued it, which stores nothing then", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.flash("notice", "hi");
    assertEquals(session.flash("notice"), "hi");
    assertEquals(session.flash("notice"), undefined);
  });
  assertEquals(visitor.token, "");
  await visitor.visit((session) => session.set("a", 1));
  await visitor.visit((session) => {
    session.flash("notice", "hi");
    assertEquals(session.flash("notice"), "hi");
  });
  assertEquals(await visitor.visit((session) => takeAll(session)), []);
});

Deno.test("Session.flash() carries copies of what structured clone carries", async () => {
  const visitor = new Visitor();
  const value = { at: new Date(5), list: [1] };
  await visitor.visit((session) => {
    session.flash("notice", value);
    value.list.push(2);
  });
  value.list.push(3);
  await visitor.visit((session) => {
    // and what it shows is a copy too, of what may be shown once more
    session.flash<typeof value>("notice")?.list.push(4);
    session.keepFlash();
    session.set("n", 1);
  });
  const shown = await visitor.visit((session) => session.flash("notice"));
  assertEquals(shown, { at: new Date(5), list: [1] });
});

Deno.test("Session.keepFlash() puts back what this request took, in its order, of one kind or of all", async () => {
  const visitor = new Visitor();
  const queue = (session: Session) => {
    session.flash("notice", 1);
    session.flash("notice", 2);
    session.flash("notice", 3);
    session.flash("error", 4);
    session.flash("error", 5);
  };
  await visitor.visit(queue);
  await visitor.visit((session) => {
    assertEquals(session.flash("notice"), 1);
    assertEquals(session.flash("notice"), 2);
    assertEquals(session.flash("error"), 4);
    session.keepFlash("notice");
  });
  await visitor.visit((session) => {
    assertEquals(takeAll(session), [1, 2, 3]);
    assertEquals(takeAll(session, "error"), [5]);
    session.keepFlash();
    assertEquals(takeAll(session), [1, 2, 3]);
    session.keepFlash();
  });
  await visitor.visit((session) => {
    session.keepFlash(); // nothing was taken yet
    assertEquals(takeAll(session), [1, 2, 3]);
    assertEquals(takeAll(session, "error"), [5]);
  });
  await visitor.visit((session) => {
    assertEquals([...takeAll(session), ...takeAll(session, "error")], []);
  });
});

Deno.test("Session.keepFlash() refuses a kind that is no string", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.flash("notice", 1));
  for (const taken of [false, true]) {
    await visitor.visit((session) => {
      if (taken) session.flash("notice");
      for (const kind of [5, null, {}, ["notice"]]) {
        assertThrows(
          () => Reflect.apply(session.keepFlash, session, [kind]),
          TypeError,
          'Cannot keep flash values: "kind" must be a string: received',
        );
      }
      session.keepFlash(undefined);
    });
  }
  assertEquals(await visitor.visit((session) => takeAll(session)), [1]);
});

Deno.test("Session.keepFlash() keeps what the same request queued and took", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => {
    session.flash("notice", "hi");
    session.flash("notice");
    session.keepFlash();
  });
  assertEquals(await visitor.visit((session) => takeAll(session)), ["hi"]);
});

testOnSpyStores(
  "R53 twenty parallel readers show a flash value once",
  async (store) => {
    for (const batch of [true, false]) {
      const visitor = new Visitor({ store, batch });
      await visitor.visit((session) => {
        session.flash("notice", "one");
        session.flash("notice", "two");
        session.set("n", 0);
      });
      const loaded = Promise.withResolvers<void>();
      let waiting = 20;
      const shown = await Promise.all(
        Array.from({ length: 20 }, () =>
          visitor.visit(async (session) => {
            if (--waiting === 0) loaded.resolve();
            await loaded.promise; // all have loaded the same record
            session.update<number>("n", (n = 0) => n + 1);
            return session.flash("notice");
          })),
      );
      assertEquals(
        shown.filter((value) => value !== undefined).sort(),
        ["one", "two"],
      );
      assertEquals(await visitor.visit((session) => takeAll(session)), []);
      assertEquals(await visitor.read(), [["n", 20]]);
    }
  },
);

testOnSpyStores(
  "R53 a reader that had loaded before another one showed the value does not show it again",
  async (store) => {
    const visitor = new Visitor({ store });
    await visitor.visit((session) => session.flash("notice", "hi"));
    const late = await visitor.visit(async (session) => {
      const other = await visitor.visit((other) => other.flash("notice"));
      assertEquals(other, "hi");
      // nothing of the request that showed it may be needed to know it
      await new Promise((resolve) => setTimeout(resolve, 0));
      collectGarbage();
      return session.flash("notice");
    });
    assertEquals(late, undefined);
  },
);

testOnSpyStores(
  "R53 a flash value is not lost if the request that shows it throws",
  async (store) => {
    const visitor = new Visitor({ store });
    await visitor.visit((session) => session.flash("notice", "hi"));
    for (let count = 0; count < 3; count++) {
      await assertRejects(
        () =>
          visitor.visit((session) => {
            assertEquals(session.flash("notice"), "hi");
            throw new Error("before it was shown");
          }),
        Error,
        "before it was shown",
      );
    }
    assertEquals(await visitor.visit((session) => takeAll(session)), ["hi"]);
    assertEquals(await visitor.visit((session) => takeAll(session)), []);
  },
);

testOnSpyStores(
  "R53 a flash value is not lost if the request that shows it cannot be committed",
  async (store) => {
    const visitor = new Visitor({ store });
    await visitor.visit((session) => session.flash("notice", "hi"));
    store.onCommit = () => Promise.reject(new Error("disk on fire"));
    await assertRejects(() =>
      visitor.visit((session) => assertEquals(session.flash("notice"), "hi"))
    );
    store.onCommit = undefined;
    assertEquals(await visitor.visit((session) => takeAll(session)), ["hi"]);
  },
);

testOnSpyStores(
  "R53 a flash value that one request keeps is there for the next one, also in a race",
  async (store) => {
    const visitor = new Visitor({ store });
    await visitor.visit((session) => session.flash("notice", "hi"));
    await visitor.visit(async (session) => {
      assertEquals(session.flash("notice"), "hi");
      await visitor.visit((other) => {
        assertEquals(other.flash("notice"), undefined);
      });
      session.keepFlash();
      await visitor.visit((other) => {
        assertEquals(other.flash("notice"), "hi");
        other.keepFlash();
      });
    });
    assertEquals(await visitor.visit((session) => takeAll(session)), ["hi"]);
  },
);

testOnSpyStores(
  "R53 flash values race with other writes, and none is lost",
  async (store) => {
    const visitor = new Visitor({ store });
    await visitor.visit((session) => {
      session.set("n", 0);
      session.flash("notice", "old");
    });
    await visitor.visit(async (session) => {
      assertEquals(session.flash("notice"), "old");
      session.flash("notice", "mine");
      await visitor.visit((other) => {
        other.set("n", 1);
        other.flash("notice", "theirs");
      });
    });
    assertEquals(
      await visitor.visit((session) => takeAll(session)),
      ["theirs", "mine"],
    );
    assertEquals(await visitor.read(), [["n", 1]]);

    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        visitor.visit((session) => {
          if (index % 2 === 0) session.flash("notice", index);
          else session.update<number>("n", (n = 0) => n + 1);
        })),
    );
    const shown = await visitor.visit((session) => takeAll(session));
    assertEquals(shown.map(Number).sort((a, b) => a - b), [
      0,
      2,
      4,
      6,
      8,
      10,
      12,
      14,
      16,
      18,
    ]);
    assertEquals(await visitor.read(), [["n", 11]]);
  },
);

Deno.test("R53 a request and an edit show a flash value once", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.flash("notice", "hi"));
  const [id = ""] = visitor.token.split(".");
  await visitor.visit(async (session) => {
    const edited = await visitor.sessions.edit(
      id,
      (other) => other.flash("notice") ?? "nothing",
    );
    assertEquals(edited, "hi");
    assertEquals(session.flash("notice"), undefined);
  });
});

Deno.test("flash values survive rotation and login", async () => {
  const visitor = new Visitor();
  await visitor.visit((session) => session.flash("notice", 1));
  await visitor.visit((session) => {
    session.regenerate();
    session.flash("notice", 2);
  });
  await visitor.visit((session) => {
    session.login("alice");
    session.flash("notice", 3);
    assertEquals(session.flash("notice"), 1);
  });
  assertEquals(await visitor.visit((session) => takeAll(session)), [2, 3]);
});

Deno.test("a notice is shown once after a redirect", async () => {
  const sessions = new SessionManager({
    store: new MemoryStore(),
  });
  const client = new TestClient((request) =>
    sessions.handle(request, (session) => {
      if (request.method === "POST") {
        session.flash("notice", "Saved.");
        return Response.redirect("https://example.com/", 303);
      }
      return new Response(session.flash<string>("notice") ?? "nothing");
    })
  );
  const texts = [
    await client.get("/"),
    await client.post("/", null, { redirect: "follow" }),
    await client.get("/"),
  ].map((response) => response.text());
  assertEquals(await Promise.all(texts), ["nothing", "Saved.", "nothing"]);
});
