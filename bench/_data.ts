/**
 * What every session of the benchmarks holds, and what the servers are told.
 *
 * @module
 */

/** The data of one session, beside its `count`: 500 bytes as JSON. */
export const PROFILE = {
  user: {
    id: "u-20481",
    name: "Ada Lovelace",
    email: "ada@example.com",
    roles: ["editor", "billing"],
  },
  cart: [
    { sku: "apples-1kg", quantity: 2, price: 349 },
    { sku: "bread-rye", quantity: 1, price: 425 },
    { sku: "coffee-250g", quantity: 3, price: 799 },
  ],
  locale: "en-GB",
  theme: "dark",
  note: "x".repeat(187),
};

/** A key for the libraries that sign or encrypt: 32 bytes, in hexadecimal digits. */
export const SECRET = "0123456789abcdef".repeat(4);

/** Environment variables that the servers are started with. */
export const ENV = {
  /** The path of a KV file. */
  kv: "BENCH_KV",
  /** The data of a session, as JSON: servers in other languages have no {@linkcode PROFILE}. */
  profile: "BENCH_PROFILE",
  /** A key, for the same reason. */
  secret: "BENCH_SECRET",
  /** What a server with several of them keeps its sessions in. */
  store: "BENCH_STORE",
  /** `false`: ours does not batch. */
  batch: "BENCH_BATCH",
  /** The folder that npm packages for Node are installed in. */
  packages: "BENCH_PACKAGES",
} as const;
