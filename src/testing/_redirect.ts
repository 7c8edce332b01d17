/**
 * Redirects, as browsers follow them: the Fetch standard, HTTP-redirect fetch.
 *
 * @module
 */

/** How many redirects in a row browsers follow. */
const MAX_REDIRECTS = 20;

/** A request that can be made more than once: its body has been read. */
interface Hop {
  readonly url: string;
  readonly method: string;
  readonly headers: Headers;
  readonly body: ArrayBuffer | null;
  readonly signal: AbortSignal;
}

/**
 * Sends a request, and follows its redirects.
 *
 * @param request The request.
 * @param send Sends each request.
 * @returns The response that redirects no further.
 * @throws {TypeError} If there are too many redirects.
 */
export async function follow(
  request: Request,
  send: (request: Request) => Promise<Response>,
): Promise<Response> {
  let hop = await toHop(request);
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await send(new Request(hop.url, hop));
    const location = redirection(response);
    if (location === undefined) return response;
    discard(response);
    hop = redirect(hop, location, response.status);
  }
  throw new TypeError(
    `Cannot fetch ${request.url}: want at most ${MAX_REDIRECTS} redirects: ` +
      "received more",
  );
}

/** Lets go of a body that nobody will read. */
export function discard(response: Response): void {
  // not awaited: the other branch of a tee may keep it from ever settling
  response.body?.cancel().catch(() => {});
}

/** Reads a request to its end. */
async function toHop(request: Request): Promise<Hop> {
  const { url, method, headers, signal } = request;
  const body = request.body && await request.arrayBuffer();
  return { url, method, headers, body, signal };
}

/** Tells where a response redirects to, `undefined` if it does not. */
export function redirection(response: Response): string | undefined {
  if (![301, 302, 303, 307, 308].includes(response.status)) return undefined;
  return response.headers.get("location") ?? undefined;
}

/**
 * Makes the request that a browser sends after a redirect.
 *
 * @param hop The request that was redirected.
 * @param location Where to.
 * @param status The status of the redirect.
 * @returns The next request.
 */
function redirect(hop: Hop, location: string, status: number): Hop {
  const { href: url, origin } = new URL(location, hop.url);
  const headers = new Headers(hop.headers);
  headers.delete("cookie");
  if (origin !== new URL(hop.url).origin) headers.delete("authorization");
  const becomesGet = status === 303
    ? hop.method !== "GET" && hop.method !== "HEAD"
    : status < 303 && hop.method === "POST";
  if (!becomesGet) return { ...hop, url, headers };
  for (const name of [...headers.keys()]) {
    if (name.startsWith("content-")) headers.delete(name);
  }
  return { ...hop, url, method: "GET", headers, body: null };
}
