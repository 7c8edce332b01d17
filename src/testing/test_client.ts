/**
 * A client that keeps cookies as a browser would.
 *
 * @module
 */

import { checkOptions } from "../_check.ts";
import { CookieJar, type TestCookie } from "./_cookie_jar.ts";
import { discard, follow, redirection } from "./_redirect.ts";

/** What answers the requests of a {@linkcode TestClient}. */
export type TestHandler = (request: Request) => Response | Promise<Response>;

/** Options of {@linkcode TestClient}. */
export interface TestClientOptions {
  /**
   * Where paths lead: an http or https origin, such as `"http://localhost:8000"`,
   * without a path.
   *
   * @default {"https://example.com"}
   */
  origin?: string | undefined;
  /**
   * The time, in epoch milliseconds, by which cookies expire.
   *
   * @default {Date.now}
   */
  clock?: (() => number) | undefined;
}

/**
 * Sends requests to a handler, and keeps its cookies as a browser would.
 *
 * There are no sockets: the handler is called with a `Request`. Cookies follow
 * RFC 6265bis: domain and path, `Max-Age` before `Expires`, at most 400 days,
 * deletion, `Secure` (over https, or on localhost), the prefixes `__Host-` and
 * `__Secure-`, and at most 4,096 bytes; what a browser would ignore is ignored.
 * `SameSite` and `Partitioned` are kept, but every request counts as same-site.
 *
 * Requests may run in parallel: each sends the cookies of the moment it starts,
 * and the cookies of each response are stored when it arrives.
 *
 * @example A story of two browsers
 * ```ts
 * import { MemoryStore, withSession } from "@tessera/session";
 * import { TestClient } from "@tessera/session/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const handler = withSession((_request, session) => {
 *   const count = session.get<number>("count") ?? 0;
 *   session.set("count", count + 1);
 *   return Response.json(count);
 * }, { store: new MemoryStore() });
 *
 * const alice = new TestClient(handler);
 * const bob = new TestClient(handler);
 *
 * assertEquals(await (await alice.get("/")).json(), 0);
 * assertEquals(await (await alice.get("/")).json(), 1);
 * assertEquals(await (await bob.get("/")).json(), 0);
 * assertEquals(alice.cookie("__Host-session")?.httpOnly, true);
 * ```
 *
 * @example Following the redirect after a form
 * ```ts
 * import { TestClient } from "@tessera/session/testing";
 * import { assertEquals } from "@std/assert";
 *
 * const client = new TestClient((request) =>
 *   request.method === "POST"
 *     ? new Response(null, {
 *       status: 303,
 *       headers: { location: "/", "set-cookie": "notice=saved" },
 *     })
 *     : new Response(request.headers.get("cookie"))
 * );
 *
 * const body = new URLSearchParams({ title: "Hello" });
 * const response = await client.post("/save", body, { redirect: "follow" });
 * assertEquals(await response.text(), "notice=saved");
 * ```
 */
export class TestClient {
  readonly #handler: TestHandler;
  readonly #origin: string;
  readonly #jar: CookieJar;

  /**
   * Constructs a client without cookies.
   *
   * @param handler What answers the requests. One that takes more than the
   *   request is wrapped: `(request) => handler(request, info)`.
   * @param options Where paths lead, and the time.
   * @throws {TypeError} If `handler` or `clock` is no function, `origin` no http
   *   or https origin, or an option is unknown.
   */
  constructor(handler: TestHandler, options: TestClientOptions = {}) {
    const { origin = "https://example.com", clock = Date.now } = checkOptions(
      "create TestClient",
      options,
      ["origin", "clock"],
    );
    if (typeof handler !== "function" || typeof clock !== "function") {
      throw new TypeError(
        "Cannot create TestClient: want functions as handler and clock: " +
          `received ${typeof handler} and ${typeof clock}`,
      );
    }
    if (!isOrigin(origin)) {
      throw new TypeError(
        "Cannot create TestClient: want an http or https origin without a path: " +
          `received ${JSON.stringify(origin)}`,
      );
    }
    this.#handler = handler;
    this.#origin = origin;
    this.#jar = new CookieJar(clock);
  }

  /**
   * The cookies that have not expired, oldest first.
   *
   * @example Looking at what the browser keeps
   * ```ts
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const client = new TestClient(() =>
   *   new Response(null, { headers: { "set-cookie": "a=1; Path=/; Secure" } })
   * );
   * await client.get("/");
   *
   * assertEquals(client.cookies.map(({ name, secure }) => [name, secure]), [
   *   ["a", true],
   * ]);
   * ```
   *
   * @returns The cookies.
   */
  get cookies(): TestCookie[] {
    return this.#jar.all();
  }

  /**
   * Finds a cookie by its name.
   *
   * @example Looking at one cookie
   * ```ts
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const client = new TestClient(() =>
   *   new Response(null, { headers: { "set-cookie": "theme=dark" } })
   * );
   * await client.get("/");
   *
   * assertEquals(client.cookie("theme")?.value, "dark");
   * assertEquals(client.cookie("Theme"), undefined);
   * ```
   *
   * @param name The exact name.
   * @returns The cookie, the oldest if several paths or domains have one;
   *   `undefined` if there is none.
   */
  cookie(name: string): TestCookie | undefined {
    return this.#jar.all().find((cookie) => cookie.name === name);
  }

  /**
   * Forgets every cookie.
   *
   * @example Becoming a stranger
   * ```ts
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const client = new TestClient(() =>
   *   new Response(null, { headers: { "set-cookie": "a=1; Max-Age=60" } })
   * );
   * await client.get("/");
   * client.clear();
   *
   * assertEquals(client.cookies, []);
   * ```
   */
  clear(): void {
    this.#jar.drop(() => true);
  }

  /**
   * Forgets the cookies that end with the browser, as closing it does.
   *
   * @example Closing the browser
   * ```ts
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const headers = new Headers([
   *   ["set-cookie", "basket=1"],
   *   ["set-cookie", "remember=1; Max-Age=60"],
   * ]);
   * const client = new TestClient(() => new Response(null, { headers }));
   * await client.get("/");
   * client.restart();
   *
   * assertEquals(client.cookies.map(({ name }) => name), ["remember"]);
   * ```
   */
  restart(): void {
    this.#jar.drop(({ expiresAt }) => expiresAt === undefined);
  }

  /**
   * Sends a GET request.
   *
   * @example Getting a page
   * ```ts
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const client = new TestClient((request) => new Response(request.url));
   * const response = await client.get("/page?n=2");
   *
   * assertEquals(await response.text(), "https://example.com/page?n=2");
   * ```
   *
   * @param path A path at the client's origin, or a URL.
   * @param init What `fetch` takes.
   * @returns The response.
   */
  get(path: string | URL, init: RequestInit = {}): Promise<Response> {
    return this.fetch(path, { ...init, method: "GET" });
  }

  /**
   * Sends a POST request.
   *
   * @example Sending a form
   * ```ts
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const client = new TestClient(async (request) =>
   *   Response.json([...await request.formData()])
   * );
   * const body = new URLSearchParams({ user: "alice" });
   * const response = await client.post("/login", body);
   *
   * assertEquals(await response.json(), [["user", "alice"]]);
   * ```
   *
   * @param path A path at the client's origin, or a URL.
   * @param body The body; none if left out.
   * @param init What `fetch` takes.
   * @returns The response.
   */
  post(
    path: string | URL,
    body?: BodyInit | null,
    init: RequestInit = {},
  ): Promise<Response> {
    return this.fetch(path, { ...init, method: "POST", body: body ?? null });
  }

  /**
   * Sends a request.
   *
   * A redirect is returned like any response, unlike with the global `fetch`,
   * unless `init.redirect` is `"follow"`. A `Cookie` header that the caller
   * gives goes out as it is, in place of the client's cookies.
   *
   * @example Sending any request
   * ```ts
   * import { TestClient } from "@tessera/session/testing";
   * import { assertEquals } from "@std/assert";
   *
   * const client = new TestClient((request) => new Response(request.method));
   * const response = await client.fetch("/item", { method: "DELETE" });
   *
   * assertEquals(await response.text(), "DELETE");
   * ```
   *
   * @param input A path at the client's origin, a URL, or a request.
   * @param init What `fetch` takes.
   * @returns The response.
   * @throws {TypeError} If a redirect comes with `redirect: "error"`, or too
   *   many of them with `redirect: "follow"`.
   */
  async fetch(
    input: string | URL | Request,
    init: RequestInit = {},
  ): Promise<Response> {
    const target = input instanceof Request
      ? input
      : new URL(input, this.#origin);
    const request = new Request(target, init);
    if (init.redirect === "follow") {
      return await follow(request, (hop) => this.#send(hop));
    }
    const response = await this.#send(request);
    if (init.redirect === "error" && redirection(response) !== undefined) {
      discard(response);
      throw new TypeError(
        `Cannot fetch ${request.url}: want no redirect: received one`,
      );
    }
    return response;
  }

  async #send(request: Request): Promise<Response> {
    const url = new URL(request.url);
    const cookies = this.#jar.header(url);
    if (cookies !== undefined && !request.headers.has("cookie")) {
      request.headers.set("cookie", cookies);
    }
    const response = await this.#handler(request);
    for (const line of response.headers.getSetCookie()) {
      this.#jar.store(line, url);
    }
    return response;
  }
}

/** Says whether a URL is an origin, perhaps with a slash, and nothing that would be dropped. */
function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, origin, href } = new URL(text);
  return /^https?:$/.test(protocol) && href === `${origin}/`;
}
