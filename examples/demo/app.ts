/**
 * The demo as a request handler: assets, the page, and what its forms do.
 *
 * @module
 */

import { crossOriginProtection, withSession } from "@tessera/session";
import { ACTIONS, type DemoSession, type DemoSessions } from "./actions.ts";
import { ASSETS } from "./assets.ts";
import { streamEnd } from "./live.ts";
import { renderPage } from "./page.ts";

/** Nothing from elsewhere, nothing inline, no framing. */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "form-action 'self'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join("; ");

const MAX_DEVICES = 50;

/** Makes the handler for `Deno.serve`. */
export function createApp(
  sessions: DemoSessions,
): (request: Request) => Promise<Response> {
  // forms of other sites are refused before a session is looked at
  const app = crossOriginProtection(withSession(
    (request: Request, session: DemoSession) =>
      answer(request, session, sessions),
    sessions,
  ));
  return async (request) => {
    const response = serveAsset(request) ?? await app(request);
    response.headers.set("content-security-policy", CONTENT_SECURITY_POLICY);
    response.headers.set("x-content-type-options", "nosniff");
    response.headers.set("referrer-policy", "same-origin");
    return response;
  };
}

/** Answers without a session, for all users alike. */
function serveAsset(request: Request): Response | undefined {
  const asset = ASSETS.get(new URL(request.url).pathname);
  if (asset === undefined) return undefined;
  return new Response(asset.body, {
    headers: {
      "content-type": asset.type,
      "cache-control": "no-cache",
    },
  });
}

async function answer(
  request: Request,
  session: DemoSession,
  sessions: DemoSessions,
): Promise<Response> {
  const { pathname } = new URL(request.url);
  if (pathname === "/") {
    return isRead(request)
      ? await showPage(session, sessions)
      : refuse(405, { allow: "GET, HEAD" });
  }
  if (pathname === "/events") {
    return request.method === "GET"
      ? showEnd(session)
      : refuse(405, { allow: "GET" });
  }
  const action = ACTIONS.get(pathname);
  if (action === undefined) return refuse(404);
  if (request.method !== "POST") return refuse(405, { allow: "POST" });
  const form = await readForm(request);
  if (form === undefined) return refuse(400);
  await action({ session, sessions, form, request });
  // after a form comes a redirect: reloading the page sends nothing twice
  const location = pathname.startsWith("/cart/") ? "/#cart" : "/";
  return new Response(null, { status: 303, headers: { location } });
}

async function showPage(
  session: DemoSession,
  sessions: DemoSessions,
): Promise<Response> {
  session.update("visits", (visits = 0) => visits + 1);
  const notices: string[] = [];
  for (;;) {
    const notice = session.flash("notice");
    if (notice === undefined) break;
    notices.push(notice);
  }
  const { subject } = session;
  const devices = subject === undefined
    ? []
    : await Array.fromAsync(sessions.list({ subject, limit: MAX_DEVICES }));
  const page = renderPage({ session, notices, devices, now: Date.now() });
  return new Response(page.text, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "cache-control": "no-store",
    },
  });
}

/** Tells a page that was signed in when it no longer is: perhaps already. */
function showEnd(session: DemoSession): Response {
  return streamEnd(
    session.subject === undefined ? AbortSignal.abort() : session.signal,
  );
}

function isRead({ method }: Request): boolean {
  return method === "GET" || method === "HEAD";
}

async function readForm(request: Request): Promise<FormData | undefined> {
  try {
    return await request.formData();
  } catch {
    return undefined;
  }
}

const REFUSALS: Readonly<Record<number, string>> = {
  400: "Cannot read this form.\n",
  404: "There is nothing here.\n",
  405: "Not this way.\n",
};

function refuse(
  status: keyof typeof REFUSALS,
  headers: Record<string, string> = {},
): Response {
  return new Response(REFUSALS[status] ?? "", { status, headers });
}
