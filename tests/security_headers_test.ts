/**
 * What gets into headers, and what never does.
 */

import { assert, assertEquals } from "@std/assert";
import {
  headerTransport,
  type Session,
  SessionManager,
  type SessionOptions,
} from "@tessera/session";
import {
  COOKIE,
  Events,
  get,
  key,
  rawRequest,
  serve,
  testOnStores,
  tokenOf,
} from "./_helpers.ts";

function remember(session: Session): Response {
  session.set("seen", true);
  return new Response();
}

/** The attributes of the one Set-Cookie line, sorted. */
function attributes(response: Response): string[] {
  const lines = response.headers.getSetCookie();
  assertEquals(lines.length, 1);
  return lines[0]?.split("; ").slice(1).sort() ?? [];
}

const NASTY = "a\r\nSet-Cookie: evil=1;\r\n\r\n; Path=/evil\0,\u2028é";

testOnStores(
  "R49 no CR, LF or ; from data gets into a header",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    const byHeader = new SessionManager({
      store,
      transport: headerTransport(),
    });
    const spoil = (session: Session) => {
      session.set(NASTY, NASTY);
      session.flash(NASTY, NASTY);
      session.login(NASTY, { label: NASTY });
      return new Response();
    };
    const response = await sessions.handle(get(), spoil);
    for (
      const headers of [
        response.headers,
        (await byHeader.handle(get(), spoil)).headers,
      ]
    ) {
      const names = [...headers.keys()].filter((name) => name !== "x-session");
      for (const name of names) {
        assert(["set-cookie", "vary", "cache-control"].includes(name), name);
      }
      assert(![...headers.values()].some((text) => /evil|[^ -~]/.test(text)));
    }
    await using server = serve((request) => sessions.handle(request, spoil));
    const { port } = server.addr;
    for (const cookies of [[], [`Cookie: ${COOKIE}=${tokenOf(response)}`]]) {
      const { lines, body } = await rawRequest(port, cookies);
      assertEquals(body, "");
      const names = lines.map((line) => line.split(":")[0]?.toLowerCase());
      assertEquals(names.sort(), [
        "cache-control",
        "connection",
        "content-length",
        "date",
        "set-cookie",
        "vary",
      ]);
    }
  },
);

testOnStores(
  "R50 a Secure cookie that browsers will drop is reported once",
  async ({ store }) => {
    const events = new Events();
    const sessions = new SessionManager({ store, onEvent: events.push });
    const url = "http://shop.example/";
    const login = (session: Session) => {
      session.login("ada");
      return new Response();
    };
    const anonymous = await sessions.handle(
      get(undefined, url),
      (session) => new Response(session.id),
    );
    assertEquals(anonymous.headers.getSetCookie(), []);
    assertEquals(events.take(), [], "without a cookie there is nothing to say");
    await sessions.handle(get(undefined, url), remember);
    await sessions.handle(get(undefined, url), remember);
    await sessions.handle(get(undefined, "http://other.example/"), login);
    const warnings = events.all.filter(({ type }) => type === "warning");
    assertEquals(warnings.length, 1);
    const message = warnings[0]?.type === "warning" ? warnings[0].message : "";
    assert(message.includes("Browsers drop"), message);
    assert(message.includes("https"), message);
    assert(message.includes("secure: false"), message);
  },
);

testOnStores(
  "R50 only a Secure cookie to a foreign host over plain http is reported",
  async ({ store }) => {
    const warns = async (
      url: string,
      { headers = {}, ...options }: SessionOptions & {
        headers?: Record<string, string>;
      } = {},
    ) => {
      const events = new Events();
      const sessions = new SessionManager({
        store,
        onEvent: events.push,
        ...options,
      });
      await sessions.handle(new Request(url, { headers }), (session) => {
        session.set("seen", true);
        return new Response(null, {
          headers: { "set-cookie": "own=1; Secure" },
        });
      });
      return events.take().includes("warning");
    };
    const dropped = [
      "http://example.com/",
      "http://localhost.example.com/",
      "http://127.0.0.1.example.com/",
      "http://notlocalhost/",
      "http://192.168.0.1/",
      "http://10.127.0.1/",
      "http://[::2]/",
      "http://example.com:8000/",
    ];
    for (const url of dropped) assertEquals(await warns(url), true, url);
    const kept = [
      "https://example.com/",
      "http://localhost/",
      "http://LOCALHOST:8000/",
      "http://127.0.0.1:8000/",
      "http://127.1.2.3/",
      "http://[::1]:8000/",
      "http://app.localhost/",
      "http://a.b.localhost:3000/",
    ];
    for (const url of kept) assertEquals(await warns(url), false, url);

    const [url] = dropped as [string];
    const proxied = {
      "x-forwarded-proto": "https",
      "forwarded": "proto=https",
      "x-forwarded-ssl": "on",
    };
    assertEquals(await warns(url, { headers: proxied }), true, "not trusted");
    assertEquals(await warns(url, { cookie: { secure: false } }), false);
    assertEquals(await warns(url, { transport: headerTransport() }), false);
  },
);

testOnStores(
  "R50 X-Forwarded-Proto changes nothing of the cookie",
  async ({ store }) => {
    const sessions = new SessionManager({ store });
    for (const proto of ["http", "https", "https, http", ""]) {
      for (const url of ["http://localhost/", "https://localhost/"]) {
        const headers = { "x-forwarded-proto": proto };
        const request = new Request(url, { headers });
        const response = await sessions.handle(request, remember);
        assert(attributes(response).includes("Secure"));
      }
    }
  },
);

testOnStores(
  "R55 the cookie tells nothing of who it belongs to",
  async ({ store }) => {
    const told = [
      "ada@example.com",
      "Ada's phone",
      "a secret text",
      "cart-key",
    ];
    const [subject = "", label, text, name = ""] = told;
    const use = (session: Session) => {
      session.set(name, text);
      session.flash(name, text);
      session.login(subject, { label });
      return new Response();
    };
    const managers = [
      new SessionManager({ store }),
      new SessionManager({ store, secrets: [key("personal")] }),
      new SessionManager({ stateless: true, secrets: [key("personal")] }),
    ];
    for (const [index, sessions] of managers.entries()) {
      const response = await sessions.handle(get(), use);
      const token = tokenOf(response);
      const shown = [
        response.headers.getSetCookie().join("\n"),
        ...token.split(".").map((part) =>
          new TextDecoder("latin1").decode(
            Uint8Array.fromBase64(
              part.length % 4 === 1 ? part.slice(1) : part,
              {
                alphabet: "base64url",
                lastChunkHandling: "loose",
              },
            ),
          )
        ),
      ].join("\n");
      for (const words of told) assert(!shown.includes(words), words);
      if (index < 2) assertEquals(token.length, index === 0 ? 70 : 114);
    }
  },
);
