/**
 * Everything that changes a session.
 *
 * @module
 */

import { assertEquals, assertThrows } from "@std/assert";
import { type Session, SessionClosedError } from "@tessera/session";

/** Everything that changes a session. */
export const MUTATORS: Record<string, (session: Session) => unknown> = {
  set: (session) => session.set("a", 2),
  delete: (session) => session.delete("a"),
  "delete of nothing": (session) => session.delete("none"),
  clear: (session) => session.clear(),
  update: (session) => session.update("a", () => 2),
  flash: (session) => session.flash("notice", "late"),
  "flash, taken": (session) => session.flash("notice"),
  keepFlash: (session) => session.keepFlash(),
  persist: (session) => session.persist(false),
  login: (session) => session.login("alice"),
  logout: (session) => session.logout(),
  regenerate: (session) => session.regenerate(),
  destroy: (session) => session.destroy(),
};

export function assertClosed(
  session: Session,
  received = "a change after the commit; use manager.edit",
): void {
  for (const [name, mutate] of Object.entries(MUTATORS)) {
    const error = assertThrows(
      () => mutate(session),
      SessionClosedError,
      `the session must still be open: received ${received}`,
      name,
    );
    assertEquals(error.name, "SessionClosedError");
  }
}
