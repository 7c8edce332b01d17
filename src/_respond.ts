/**
 * Writes what a session has to tell into a response.
 *
 * @module
 */

import { unbuildable, unsendable } from "./_misuse.ts";
import { lifetimeChanged, touchDue, touched } from "./_record.ts";
import type { Answer } from "./_request_parts.ts";
import type { RequestSession } from "./_request_session.ts";
import type { SessionLinks } from "./_session_links.ts";
import { assertSynchronous } from "./_transports.ts";
import type { SessionTransport } from "./session_transport.ts";

/**
 * Adds to a response what the session has to tell, and nothing else.
 *
 * @param session The session of the request.
 * @param response The app's response.
 * @returns The response itself, or one with the same body, status and headers: where
 *   its headers are immutable, and wherever a token is added, for an app may share
 *   one response between users.
 */
export function respond(session: RequestSession, response: Response): Response {
  const { answer, handle, origin, links } = session;
  session.responded();
  if (answer === undefined && !handle.accessed) return response;
  if (response.type === "error" || response.status === 101) links?.release();
  if (response.type === "error") return response;
  if (!isRebuildable(response)) links?.release();
  if (answer === undefined && !links?.signalled || !isRebuildable(response)) {
    return varied(response, origin.vary);
  }
  // a 101 cannot be built anew, and is never shared: it belongs to its socket
  const target = response.status === 101 ? response : rebuild(response, links);
  addVary(target.headers, origin.vary);
  if (origin.transport !== undefined && answer !== undefined) {
    write(target.headers, origin.transport, answer);
  }
  return target;
}

/** Makes sure, before the commit, that what is to be told fits the response. */
export function assertSendable(
  session: RequestSession,
  response: Response,
): void {
  if (response.bodyUsed) throw unsendable("one that was read already");
  const mustTell = tells(session);
  if (mustTell && !isRebuildable(response)) throw unbuildable(response.status);
  if ((mustTell || mayTell(session)) && response.body?.locked) {
    throw unsendable("one that is locked to a reader");
  }
}

/** Says whether the client has to be told of what the handler did. */
function tells(
  { answer, handle, isCommitted, loaded, settings }: RequestSession,
): boolean {
  if (answer !== undefined || isCommitted) return answer !== undefined;
  return handle.changes.tells ||
    loaded !== undefined && settings.cipher !== undefined &&
      handle.changes.changed;
}

/**
 * Says whether the client will be told of a use, as far as is known before the commit, so that
 * the response will be built anew.
 *
 * Of others the body is better left alone: to look at it takes longer than to commit.
 */
function mayTell(
  { isCommitted, loaded, origin, settings }: RequestSession,
): boolean {
  if (loaded === undefined || isCommitted) return false;
  const { record, hops } = loaded;
  const now = settings.now();
  return origin.stale || hops.length > 0 ||
    touchDue(record, now, settings) && (
        settings.cipher !== undefined ||
        record.persistent &&
          lifetimeChanged(record, touched(record, now, settings))
      );
}

function write(
  headers: Headers,
  transport: SessionTransport,
  answer: Answer,
): void {
  const { type } = answer;
  const method = type === "clear" ? "clear" : "write";
  const result: unknown = type === "clear"
    ? transport.clear(headers)
    : transport.write(headers, answer.token, answer.lifetime);
  assertSynchronous(transport, method, result);
  headers.set("cache-control", "no-store");
}

function varied(
  response: Response,
  vary: readonly string[],
): Response {
  try {
    addVary(response.headers, vary);
    return response;
  } catch {
    if (!isRebuildable(response)) return response;
    const copy = rebuild(response);
    addVary(copy.headers, vary);
    return copy;
  }
}

/**
 * Says whether a response with other headers can take the place of this one, or these
 * headers be changed: other servers send statuses that no `Response` can be made with.
 */
function isRebuildable({ status, type }: Response): boolean {
  return status === 101 || type === "error" || status >= 200 && status <= 599;
}

/** Builds a response anew; who watches the session is let go with the end of its body. */
function rebuild(response: Response, links?: SessionLinks): Response {
  const { status, statusText } = response;
  const headers = new Headers(response.headers);
  let { body } = response;
  if (links?.signalled && body !== null) {
    body = onEnd(body, () => links.release());
  } else links?.release();
  return new Response(body, { status, statusText, headers });
}

/** Passes a body on, and calls back when it ends, fails, or is no longer wanted. */
function onEnd(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  ended: () => void,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        ended();
        controller.close();
      } catch (error) {
        ended();
        controller.error(error);
      }
    },
    async cancel(reason) {
      ended();
      await reader.cancel(reason);
    },
  }, { highWaterMark: 0 });
}

function addVary(
  headers: Headers,
  vary: readonly string[],
): void {
  for (const name of vary) {
    if (!varies(headers, name)) headers.append("vary", name);
  }
}

function varies(headers: Headers, name: string): boolean {
  const vary = headers.get("vary");
  if (vary === null) return false;
  const wanted = name.toLowerCase();
  return vary.toLowerCase().split(",").some((item) =>
    item.trim() === wanted || item.trim() === "*"
  );
}
