// deno run --unstable-kv --allow-net examples/login.ts

import { crossOriginProtection, withSession } from "@tessera/session";

Deno.serve(crossOriginProtection(withSession(async (request, session) => {
  const { pathname } = new URL(request.url);
  switch (`${request.method} ${pathname}`) {
    case "GET /":
      return session.subject === undefined
        ? page(SIGN_IN)
        : page(`<p>You are <b>${escape(session.subject)}</b>.</p>${SIGN_OUT}`);
    case "POST /login": {
      const name = await field(request, "name");
      // here a real app checks a password or a passkey
      if (name === "") return page(`<p>Who are you?</p>${SIGN_IN}`, 422);
      session.login(name); // a new id: a planted one never sees the user
      return redirect("/");
    }
    case "POST /logout":
      session.logout();
      return redirect("/");
    default:
      return page(`<p>There is nothing here.</p>`, 404);
  }
})));

const SIGN_IN = `<form method="post" action="/login">
  <label>Name <input name="name" autocomplete="username" required></label>
  <button>Sign in</button>
</form>`;

const SIGN_OUT = `<form method="post" action="/logout">
  <button>Sign out</button>
</form>`;

/** Reads one field of a form; empty if it is missing. */
async function field(request: Request, name: string): Promise<string> {
  const body = await request.text();
  return new URLSearchParams(body).get(name)?.trim() ?? "";
}

/** The answer to a form: reloading what it leads to sends nothing twice. */
function redirect(location: string): Response {
  return new Response(null, { status: 303, headers: { location } });
}

function page(body: string, status = 200): Response {
  const html = `<!doctype html><html lang="en"><title>Sign in</title>${body}`;
  const headers = { "content-type": "text/html; charset=utf-8" };
  return new Response(html, { status, headers });
}

function escape(text: string): string {
  return text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
}
