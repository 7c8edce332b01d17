/**
 * The ids that sessions are about to get, and those they have until then.
 *
 * @module
 */

/** So many are remembered; a request needs its own until it is committed. */
const MAX_REMEMBERED = 10_000;

/** Remembers which session a new id is for, as `session.id` names it before it is stored. */
export class Renamings {
  readonly #previous = new Map<string, string>();

  /** Notes that a session is to get a new id. */
  begin(from: string, to: string): void {
    this.#previous.set(to, from);
    if (this.#previous.size <= MAX_REMEMBERED) return;
    const [oldest] = this.#previous.keys();
    if (oldest !== undefined) this.#previous.delete(oldest);
  }

  /** Finds the id that a session had, or still has, before it got this one. */
  previousOf(id: string): string | undefined {
    return this.#previous.get(id);
  }
}
