// deno run --unstable-kv --allow-net examples/sse.ts

import { crossOriginProtection, withSession } from "@tessera/session";

Deno.serve(crossOriginProtection(withSession((request, session) => {
  const { pathname } = new URL(request.url);
  switch (`${request.method} ${pathname}`) {
    case "GET /":
      if (session.isNew) session.set("since", new Date());
      return new Response(PAGE, {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    case "GET /events":
      if (session.isNew) return new Response(null, { status: 204 }); // no retry
      return new Response(ticks(session.signal), {
        headers: { "content-type": "text/event-stream" },
      });
    case "POST /logout":
      session.logout();
      return new Response(null, { status: 303, headers: { location: "/" } });
    default:
      return new Response("Not found\n", { status: 404 });
  }
})));

/** Tells the time, until the session ends: here, or in another process. */
function ticks(signal: AbortSignal): ReadableStream<Uint8Array> {
  let timer: ReturnType<typeof setInterval>;
  const events = new ReadableStream<string>({
    start(controller) {
      const tick = () =>
        controller.enqueue(`data: ${new Date().toLocaleTimeString()}\n\n`);
      tick();
      timer = setInterval(tick, 1_000);
      signal.addEventListener("abort", () => {
        clearInterval(timer);
        controller.enqueue(`event: end\ndata: ${signal.reason.reason}\n\n`);
        controller.close();
      });
    },
    cancel: () => clearInterval(timer), // the page was closed
  });
  return events.pipeThrough(new TextEncoderStream());
}

const PAGE = `<!doctype html><html lang="en"><title>Events</title>
<p>Open this page twice, and sign out in one of them.</p>
<p id="time"></p>
<form method="post" action="/logout"><button>Sign out</button></form>
<script>
  const time = document.querySelector("#time");
  const events = new EventSource("/events");
  events.onmessage = ({ data }) => time.textContent = data;
  events.addEventListener("end", ({ data }) => {
    events.close();
    time.textContent = "The session has ended: " + data;
  });
</script>`;
