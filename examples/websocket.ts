// deno run --unstable-kv --allow-net examples/websocket.ts

import {
  crossOriginProtection,
  SessionManager,
  withSession,
} from "@tessera/session";

const sessions = new SessionManager<{ messages: number }>();

// sockets know no same-origin policy: their pages are checked here
Deno.serve(crossOriginProtection(withSession((request, session) => {
  const { pathname } = new URL(request.url);
  switch (`${request.method} ${pathname}`) {
    case "GET /":
      if (session.isNew) session.set("messages", 0);
      return new Response(PAGE, {
        headers: { "content-type": "text/html; charset=utf-8" },
      });
    case "GET /socket": {
      if (session.isNew || request.headers.get("upgrade") !== "websocket") {
        return new Response("Cannot open a socket\n", { status: 400 });
      }
      const { socket, response } = Deno.upgradeWebSocket(request);
      session.attach(socket); // closes it, with 3000, when the session ends
      socket.onmessage = async ({ data }) => {
        // the request is over: from here on, the session is edited by its id
        const count = await sessions.edit(session.id, (session) => {
          session.update("messages", (messages = 0) => messages + 1);
          return session.get("messages");
        }).catch(() => socket.close(1011)); // nobody else would catch it
        // meanwhile the session may have ended, and the socket with it
        if (socket.readyState !== socket.OPEN) return;
        socket.send(`message ${count}: ${data}`);
      };
      return response;
    }
    case "POST /logout":
      session.logout();
      return new Response(null, { status: 303, headers: { location: "/" } });
    default:
      return new Response("Not found\n", { status: 404 });
  }
}, sessions)));

const PAGE = `<!doctype html><html lang="en"><title>Socket</title>
<form id="say"><input name="text" aria-label="Message"> <button>Send</button></form>
<form method="post" action="/logout"><button>Sign out</button></form>
<pre></pre>
<script>
  const socket = new WebSocket(location.origin.replace("http", "ws") + "/socket");
  const show = (line) => document.querySelector("pre").append(line + "\\n");
  socket.onmessage = ({ data }) => show(data);
  socket.onclose = ({ code, reason }) => show(code + " " + reason);
  document.querySelector("#say").onsubmit = (event) => {
    event.preventDefault();
    socket.send(event.target.text.value);
  };
</script>`;
