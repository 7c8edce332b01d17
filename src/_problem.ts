/**
 * Refusals in the words of RFC 9457.
 *
 * @module
 */

/**
 * Creates a problem response.
 *
 * @param status The status of the response.
 * @param title The name of the status.
 * @param detail What is wrong with this request.
 * @returns An `application/problem+json` response.
 */
export function problem(
  status: number,
  title: string,
  detail: string,
): Response {
  return new Response(
    JSON.stringify({ type: "about:blank", title, status, detail }),
    {
      status,
      headers: { "content-type": "application/problem+json" },
    },
  );
}
