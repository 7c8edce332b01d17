/**
 * Redirects, as browsers follow them: the Fetch standard, HTTP-redirect fetch.
 *
 * @module
 */

/** Tells whether a response has the status of a redirect. */
export function isRedirect(response: Response): boolean {
  return [301, 302, 303, 307, 308].includes(response.status);
}

/**
 * Makes the request that a browser sends after a redirect.
 *
 * @param request The request that was redirected, its body unread.
 * @param url Where to.
 * @param status The status of the redirect.
 * @returns The next request.
 */
export async function redirected(
  request: Request,
  url: URL,
  status: number,
): Promise<Request> {
  const headers = new Headers(request.headers);
  headers.delete("cookie");
  if (url.origin !== new URL(request.url).origin) {
    headers.delete("authorization");
  }
  const { method, signal } = request;
  const becomesGet = status === 303
    ? method !== "GET" && method !== "HEAD"
    : status < 303 && method === "POST";
  if (!becomesGet) {
    const body = request.body && await request.arrayBuffer();
    return new Request(url, { method, headers, signal, body });
  }
  await request.body?.cancel();
  for (const name of [...headers.keys()]) {
    if (name.startsWith("content-")) headers.delete(name);
  }
  return new Request(url, { headers, signal });
}
