import { assert, assertEquals } from "@std/assert";
import { SessionManager } from "@tessera/session";
import { tokenOf } from "./_helpers.ts";
import { cookies, read, start, use } from "./_races.ts";
import { auditDatabase } from "./_worker_audit.ts";
import { WorkerProcess } from "./_worker_process.ts";

const KILLS = 50;
const BROWSERS = 5;
/** Requests at a time to one session that all browsers share. */
const COUNTERS = 3;
const LONGEST_RUN_MS = 300;

/** Mulberry32: the same moments and the same deeds in each run, as far as that goes. */
function createRandom(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

type Deed =
  | { readonly type: "begin" | "count" | "regenerate" | "logout" }
  | { readonly type: "large"; readonly size: number }
  | { readonly type: "login"; readonly subject: string };

function pathOf(deed: Deed): string {
  switch (deed.type) {
    case "begin":
      return "/set?key=here&value=1";
    case "large":
      return `/large?size=${deed.size}`;
    case "login":
      return `/login?subject=${deed.subject}`;
    default:
      return `/${deed.type}`;
  }
}

/** A browser that does one thing after the other, and remembers what was acknowledged. */
class Browser {
  readonly #name: string;
  readonly #random: () => number;
  #token: string | undefined;
  #count = 0;
  #size = 0;
  #logins = 0;
  /** What was under way when the server died. */
  #pending: Deed | undefined;
  /** The tokens whose end was acknowledged. */
  readonly #ended: string[] = [];
  acknowledged = 0;

  constructor(name: string, random: () => number) {
    this.#name = name;
    this.#random = random;
  }

  /** Goes on until the server dies. */
  async run(worker: WorkerProcess): Promise<void> {
    while (true) {
      const deed = this.#pending = this.#choose();
      let answer;
      try {
        answer = await worker.fetch(pathOf(deed), this.#token);
      } catch {
        return;
      }
      this.#take(deed, answer.token);
      this.#pending = undefined;
      this.acknowledged++;
    }
  }

  #choose(): Deed {
    if (this.#token === undefined) return { type: "begin" };
    const random = this.#random();
    if (random < 0.1) return { type: "regenerate" };
    if (random < 0.2) {
      return { type: "login", subject: `${this.#name}-${++this.#logins}` };
    }
    if (random < 0.25) return { type: "logout" };
    if (random < 0.4) {
      return { type: "large", size: Math.ceil(150_000 * this.#random()) };
    }
    return { type: "count" };
  }

  /** Notes what was acknowledged. */
  #take(deed: Deed, token: string | undefined): void {
    const replaces = deed.type === "login" || deed.type === "logout";
    if (replaces && this.#token !== undefined) this.#ended.push(this.#token);
    if (deed.type === "count") this.#count++;
    if (deed.type === "large") this.#size = deed.size;
    if (token === "") this.#forget();
    else this.#token = token ?? this.#token;
  }

  #forget(): void {
    this.#token = undefined;
    this.#count = this.#size = 0;
  }

  /** Compares what is there after the crash with what was acknowledged before it. */
  async verify(manager: SessionManager): Promise<void> {
    const pending = this.#pending;
    this.#pending = undefined;
    for (const token of this.#ended) {
      assertEquals(await read(manager, token), undefined, "an end holds");
    }
    this.#ended.splice(0, this.#ended.length - 20);
    if (this.#token === undefined) return;
    const data = await read(manager, this.#token);
    if (pending?.type === "login") {
      const { subject } = pending;
      const found = await Array.fromAsync(manager.list({ subject }));
      assertEquals(found.length, data === undefined ? 1 : 0, "no half login");
      if (data === undefined) await this.#verifyMoved(manager, found[0]?.id);
    }
    if (data === undefined) {
      const may = pending?.type === "login" || pending?.type === "logout";
      assert(may, `lost, with ${pending?.type} under way`);
      this.#ended.push(this.#token);
      return this.#forget();
    }
    const size = (data.large as string | undefined)?.length ?? 0;
    const sizes = [this.#size, pending?.type === "large" ? pending.size : -1];
    assert(sizes.includes(size), `${size} for ${sizes}`);
    this.#size = size;
    const count = (data.n as number | undefined) ?? 0;
    const counts = [
      this.#count,
      pending?.type === "count" ? this.#count + 1 : -1,
    ];
    assert(counts.includes(count), `${count} for ${counts}`);
    this.#count = count;
    // a regenerate that was not acknowledged is caught up with
    const response = await use(manager, this.#token);
    if (cookies(response).length > 0) this.#token = tokenOf(response);
  }

  /** A login that took place unheard took everything along. */
  async #verifyMoved(
    manager: SessionManager,
    id: string | undefined,
  ): Promise<void> {
    const data = await manager.edit(id ?? "", (session) => [
      session.get<number>("n") ?? 0,
      session.get<string>("large")?.length ?? 0,
    ]);
    assertEquals(data, [this.#count, this.#size]);
  }
}

/** Counts in one session together with others. */
class Counter {
  readonly #token: string;
  sent = 0;
  acknowledged = 0;

  constructor(token: string) {
    this.#token = token;
  }

  async run(worker: WorkerProcess): Promise<void> {
    try {
      while (true) {
        this.sent++;
        await worker.fetch("/count", this.#token);
        this.acknowledged++;
      }
    } catch {
      // the server has been killed
    }
  }
}

Deno.test(`a server killed ${KILLS} times under load has lost nothing that it had acknowledged`, async () => {
  const folder = await Deno.makeTempDir({ prefix: "tessera_" });
  const path = `${folder}/sessions.db`;
  const random = createRandom(20_260_101);
  const browsers = Array.from(
    { length: BROWSERS },
    (_, index) => new Browser(`browser${index}`, random),
  );
  try {
    const token = await prepare(path);
    const counters = Array.from({ length: COUNTERS }, () => new Counter(token));
    let next = WorkerProcess.start(path);
    for (let kill = 1; kill <= KILLS; kill++) {
      const worker = await next;
      const runs = [...browsers, ...counters].map((one) => one.run(worker));
      const moment = LONGEST_RUN_MS * random();
      await new Promise((resolve) => setTimeout(resolve, moment));
      await worker.kill();
      await Promise.all(runs);
      if (kill < KILLS) next = WorkerProcess.start(path);

      using kv = await Deno.openKv(path);
      const manager = new SessionManager({ store: kv });
      await auditDatabase(kv, path);
      const { n } = await read(manager, token) ?? {};
      const [least, most] = [
        sum(counters.map(({ acknowledged }) => acknowledged)),
        sum(counters.map(({ sent }) => sent)),
      ];
      assert(
        Number(n) >= least && Number(n) <= most,
        `${n}, with ${least} acknowledged and ${most} sent`,
      );
      for (const browser of browsers) await browser.verify(manager);
    }
    const done = sum(browsers.map(({ acknowledged }) => acknowledged));
    assert(done > 10 * KILLS, `${done} requests are no load`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

async function prepare(path: string): Promise<string> {
  using kv = await Deno.openKv(path);
  const manager = new SessionManager({ store: kv });
  return await start(manager, (session) => session.set("n", 0));
}
