/**
 * A stream that tells an open page when its session ends.
 *
 * @module
 */

/**
 * Answers with server-sent events: one, `signed-out`, when the signal aborts, and
 * then the end.
 */
export function streamEnd(signal: AbortSignal): Response {
  const encoder = new TextEncoder();
  const listening = new AbortController();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      const tell = () => {
        controller.enqueue(encoder.encode("event: signed-out\ndata:\n\n"));
        controller.close();
      };
      controller.enqueue(encoder.encode(": open\n\n"));
      if (signal.aborted) return tell();
      signal.addEventListener("abort", tell, {
        once: true,
        signal: listening.signal,
      });
    },
    cancel() {
      listening.abort();
    },
  });
  return new Response(body, {
    headers: {
      "content-type": "text/event-stream",
      "cache-control": "no-store",
    },
  });
}
