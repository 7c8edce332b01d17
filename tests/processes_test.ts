import { assert, assertEquals, assertRejects } from "@std/assert";
import { SessionManager, SessionStoreError } from "@tessera/session";
import { DatabaseSync } from "node:sqlite";
import { COOKIE } from "./_helpers.ts";
import { start, use } from "./_races.ts";
import { WorkerProcess } from "./_worker_process.ts";

const PROCESSES = 4;

/** Runs a test with processes on one new database file, which goes afterwards. */
async function withProcesses(
  run: (workers: WorkerProcess[], path: string) => Promise<void>,
  count = PROCESSES,
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "tessera_" });
  const path = `${folder}/sessions.db`;
  try {
    await using stack = new AsyncDisposableStack();
    const workers = await Promise.all(
      Array.from({ length: count }, () => WorkerProcess.start(path)),
    );
    workers.forEach((worker) => stack.use(worker));
    await run(workers, path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Serves the same paths in every process at once, each in parallel. */
async function burst(
  workers: readonly WorkerProcess[],
  token: string,
  pathsOf: (worker: number) => string[],
): Promise<string[]> {
  const answers = await Promise.all(workers.map((worker, index) => {
    const query = pathsOf(index).map((path) =>
      `path=${encodeURIComponent(path)}`
    );
    return worker.fetch(`/burst?${query.join("&")}`, token);
  }));
  assertEquals(answers.flatMap(({ json }) => json.errors), []);
  return answers.flatMap(({ json }) => json.cookies);
}

async function begin(worker: WorkerProcess | undefined): Promise<string> {
  const { token } = await worker?.fetch("/set?key=here&value=1") ?? {};
  assert(token !== undefined);
  return token;
}

Deno.test("R33 4 processes on one file, 250 parallel increments each, make exactly 1,000", async () => {
  await withProcesses(async (workers) => {
    const token = await begin(workers[0]);
    await burst(workers, token, () => Array(250).fill("/count"));
    for (const worker of workers) {
      const { json } = await worker.fetch("/read", token);
      assertEquals(json.data, { here: "1", n: 1_000 });
    }
  });
});

Deno.test("R33 the keys that 4 processes set at once are all there", async () => {
  await withProcesses(async (workers) => {
    const token = await begin(workers[0]);
    const paths = (worker: number) =>
      Array.from({ length: 25 }, (_, index) => [
        `/set?key=${worker}-${index}&value=${index}`,
        "/count",
        `/flash?value=${worker}-${index}`,
      ]).flat();
    await burst(workers, token, paths);
    const { json } = await workers[1]?.fetch("/read", token) ?? {};
    assertEquals(json.data.n, 100);
    assertEquals(Object.keys(json.data).length, 102);
    const shown = new Set<string>();
    for (let n = 0; n < 100; n++) {
      const { json } = await workers[2]?.fetch("/show", token) ?? {};
      shown.add(json);
    }
    assertEquals(shown.size, 100);
    assertEquals((await workers[3]?.fetch("/show", token))?.json, null);
  });
});

Deno.test("R5 regenerates of 4 processes are one, logins are each whole, and a logout holds everywhere", async () => {
  await withProcesses(async (workers) => {
    const token = await begin(workers[0]);
    const cookies = await burst(
      workers,
      token,
      () => Array.from({ length: 10 }, () => ["/count", "/regenerate"]).flat(),
    );
    const tokens = new Set(cookies.map((line) => line.split(/[=;]/)[1] ?? ""));
    assertEquals(tokens.size, 1);
    const [rotated = ""] = tokens;
    const { json } = await workers[3]?.fetch("/read", rotated) ?? {};
    assertEquals(json.data, { here: "1", n: 40 });

    const logins = await burst(
      workers,
      rotated,
      (worker) => Array(5).fill(`/login?subject=user${worker}`),
    );
    const owners: string[] = [];
    for (const line of logins) {
      const signedIn = line.split(/[=;]/)[1] ?? "";
      const { json } = await workers[1]?.fetch("/read", signedIn) ?? {};
      assert(/^user\d$/.test(json.subject));
      if (json.data.n === 40) owners.push(signedIn);
    }
    assertEquals(logins.length, 20);
    assertEquals(owners.length, 1, "one of them took the data along");
    assertEquals((await workers[2]?.fetch("/read", rotated))?.json.isNew, true);

    const [owner = ""] = owners;
    assertEquals((await workers[0]?.fetch("/logout", owner))?.token, "");
    const after = await Promise.all(
      workers.map((worker) => worker.fetch("/read", owner)),
    );
    assertEquals(after.map(({ json }) => json.isNew), Array(4).fill(true));
  });
});

Deno.test("R37 the target of a redirect sees what was written in another process, 1,000 times", async () => {
  await withProcesses(async (workers) => {
    await Promise.all(workers.map(async (worker, index) => {
      const other = workers[(index + 1) % PROCESSES];
      let token = await begin(worker);
      for (let n = 0; n < 1_000 / PROCESSES; n++) {
        const action = n % 50 === 49
          ? "/regenerate?"
          : `/set?key=n&value=${n}&`;
        const answer = await worker.fetch(`${action}location=/read`, token);
        assertEquals(answer.location, "/read");
        token = answer.token ?? token;
        const target = await other?.fetch("/read", token);
        assertEquals(target?.json.isNew, false);
        assertEquals(target?.json.data.n, `${n % 50 === 49 ? n - 1 : n}`);
      }
    }));
  });
});

Deno.test("a flash value of one process is shown by another, perhaps twice, and is never lost", async () => {
  await withProcesses(async (workers) => {
    const [first, second] = workers;
    const token = await begin(first);
    for (let n = 0; n < 40; n++) {
      await first?.fetch(`/flash?value=${n}`, token);
      const answers = await Promise.all([
        ...workers,
        ...workers,
      ].map((worker) => worker.fetch("/show", token)));
      const shown = answers.map(({ json }) => json).filter((one) =>
        one !== null
      );
      assert(shown.length >= 1 && shown.length <= workers.length, `${shown}`);
      assertEquals(new Set(shown), new Set([String(n)]));
      assertEquals((await second?.fetch("/show", token))?.json, null);
    }
  }, 2);
});

Deno.test("a locked database file is waited for, and is a typed error when that takes too long", async () => {
  await withProcesses(async ([worker], path) => {
    assert(worker !== undefined);
    const token = await begin(worker);
    const lock = new DatabaseSync(path);
    try {
      // another process in the middle of a long write
      lock.exec("BEGIN IMMEDIATE");
      const counting = worker.fetch("/count", token);
      await new Promise((resolve) => setTimeout(resolve, 300));
      lock.exec("COMMIT");
      await counting;
      assertEquals((await worker.fetch("/read", token)).json.data.n, 1);

      using kv = await Deno.openKv(path);
      const manager = new SessionManager({ store: kv, storeTimeout: 500 });
      const mine = await start(manager);
      lock.exec("BEGIN IMMEDIATE");
      const began = performance.now();
      await assertRejects(
        () => use(manager, mine, (session) => session.set("n", 1)),
        SessionStoreError,
        "Cannot commit session: the store must answer",
      );
      assert(performance.now() - began < 5_000);
      lock.exec("ROLLBACK");
      const response = await use(manager, mine, (one) => one.set("n", 2));
      assertEquals(response.headers.get(COOKIE), null);
      // the write that was given up may still have been on its way
      const { json } = await worker.fetch("/read", mine);
      assertEquals(json.data.n, 2);
    } finally {
      lock.close();
    }
  }, 1);
});
