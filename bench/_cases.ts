/**
 * What is measured, and what it is compared with.
 *
 * @module
 */

/** A kind of request that servers are loaded with. */
export interface Case {
  /** Its name. */
  readonly name: CaseName;
  /** What it stands for, in a few words. */
  readonly title: string;
  /** The path. */
  readonly path: string;
  /**
   * The cookies of the requests: of all prepared sessions in turn, of one of them,
   * with an altered signature, another one each time or the same, or none.
   */
  readonly cookies: "all" | "one" | "forged" | "forged once" | "none";
  /** The server and case that a ratio of 1 stands for. */
  readonly baseline: { readonly server: string; readonly case: CaseName };
  /** Whether it takes routes that no other library has. */
  readonly oursOnly: boolean;
}

/** The names of the cases. */
export type CaseName =
  | "read"
  | "write"
  | "hot"
  | "anonymous"
  | "forged"
  | "again"
  | "lazy"
  | "untouched";

/** The server that a request without any session is compared with. */
export const BARE = "bare Deno.serve";
/** The server that a session is compared with. */
export const BY_HAND = "by hand";
/** Ours. */
export const OURS = "@tessera/session";

/** All cases, in the order of the table. */
export const CASES: readonly Case[] = [
  newCase("read", "Read a session", { cookies: "all", than: BY_HAND }),
  newCase("write", "Write a session", { cookies: "all", than: BY_HAND }),
  {
    ...newCase("hot", "Count up in one session", {
      cookies: "one",
      than: BY_HAND,
    }),
    path: "/increment",
    baseline: { server: BY_HAND, case: "write" },
  },
  {
    ...newCase("anonymous", "No cookie", { cookies: "none", than: BARE }),
    path: "/read",
  },
  {
    ...newCase("forged", "Forged cookie", { cookies: "forged", than: BARE }),
    path: "/read",
  },
  {
    ...newCase("again", "The same forged cookie", {
      cookies: "forged once",
      than: BARE,
    }),
    path: "/read",
    oursOnly: true,
  },
  {
    ...newCase("lazy", "Lazy session", { cookies: "all", than: BARE }),
    oursOnly: true,
  },
  {
    ...newCase("untouched", "Untouched session", {
      cookies: "none",
      than: BARE,
    }),
    oursOnly: true,
  },
];

function newCase(
  name: CaseName,
  title: string,
  { cookies, than }: { cookies: Case["cookies"]; than: string },
): Case {
  return {
    name,
    title,
    path: `/${name}`,
    cookies,
    baseline: { server: than, case: name },
    oursOnly: false,
  };
}

/** The least ratio that ours is to have in a case. */
export const TARGETS: Readonly<Record<CaseName, number>> = {
  read: 1.3,
  write: 4,
  hot: 4,
  anonymous: 0.95,
  forged: 0.6,
  again: 0.6,
  lazy: 0.95,
  untouched: 0.95,
};
