// deno-lint-ignore-file no-console
/**
 * The run: starts the engines and the processes, and measures them in turn.
 *
 * @module
 */

import {
  type Command,
  PROCESSES,
  type RunAnswer,
  STORES_CASES,
  type StoresCase,
} from "./_stores_cases.ts";
import { childrenOf, cpuSeconds } from "./_stores_cpu.ts";
import type { Engine, EngineSpec } from "./_stores_engines.ts";
import type { StoresOptions } from "./_stores_options.ts";
import { StoresProcess } from "./_stores_process.ts";

/** An engine that is up, with sessions, and the processes that share it. */
export interface Contender {
  /** Its name. */
  readonly name: string;
  /** What a session of 500 bytes takes of it, in bytes. */
  readonly size: SessionSize;
  /** The processes. */
  readonly processes: readonly StoresProcess[];
  /** The ids of the engine's own processes. */
  readonly pids: readonly number[];
  /** How many hot writes have succeeded. */
  hotWrites: number;
}

/** What a session takes, in bytes. */
export interface SessionSize {
  /** Of somebody unknown. */
  readonly anonymous: number;
  /** Of somebody signed in, who is entered in an index. */
  readonly signedIn: number;
}

/** An engine that could not be measured. */
export interface MissingEngine {
  /** Its name. */
  readonly name: string;
  /** Why, and how to get it. */
  readonly reason: string;
}

/** One measurement. */
export interface StoresSample {
  /** The engine. */
  readonly engine: string;
  /** How many processes there were. */
  readonly processes: number;
  /** The kind of request. */
  readonly what: StoresCase;
  /** The round. */
  readonly round: number;
  /** Successful requests per second, of all processes together. */
  readonly rate: number;
  /** How many succeeded. */
  readonly done: number;
  /** How many failed, by the names of the errors. */
  readonly errors: Readonly<Record<string, number>>;
  /** The worst of the processes' medians, in milliseconds. */
  readonly p50: number;
  /** The worst of what 99 of 100 requests stayed below. */
  readonly p99: number;
  /** The seconds that the engine has computed; 0 if not known. */
  readonly engineCpu: number;
  /** The seconds that the processes have computed; 0 if not known. */
  readonly appCpu: number;
}

/** Starts the engines, one after the other, and fills them. */
export async function startContenders(
  { engines, sessions }: StoresOptions,
  folder: string,
  stack: AsyncDisposableStack,
  signal: AbortSignal,
): Promise<{ contenders: Contender[]; missing: MissingEngine[] }> {
  const contenders: Contender[] = [];
  const missing: MissingEngine[] = [];
  for (const spec of engines) {
    signal.throwIfAborted();
    const before = new Set(childrenOf(Deno.pid));
    const started = await startEngine(spec, folder, stack);
    if (typeof started === "string") {
      missing.push({ name: spec.name, reason: started });
      continue;
    }
    const pids = childrenOf(Deno.pid).filter((pid) => !before.has(pid));
    const processes = await startProcesses(started, stack);
    const name = spec.name;
    const file = `${folder}/${contenders.length}.json`;
    const size = await fill(started, processes, file, sessions);
    contenders.push({ name, size, processes, pids, hotWrites: 0 });
    console.log(
      `up       ${name}: ${size.anonymous} bytes a session, ${size.signedIn} signed in`,
    );
  }
  return { contenders, missing };
}

/** Resolves to the engine, or to what it takes to have it. */
async function startEngine(
  spec: EngineSpec,
  folder: string,
  stack: AsyncDisposableStack,
): Promise<Engine | string> {
  try {
    return await spec.start(folder, stack);
  } catch (error) {
    const { message } = error as Error;
    console.log(`missing  ${spec.name}: ${message}`);
    return message;
  }
}

async function startProcesses(
  { address, env }: Engine,
  stack: AsyncDisposableStack,
): Promise<StoresProcess[]> {
  const processes: StoresProcess[] = [];
  for (let number = 0; number < Math.max(...PROCESSES); number++) {
    processes.push(
      stack.use(await StoresProcess.start(address, number, env)),
    );
  }
  return processes;
}

/** Begins sessions of both kinds; resolves to what each takes. */
async function fill(
  engine: Engine,
  processes: readonly StoresProcess[],
  file: string,
  sessions: number,
): Promise<SessionSize> {
  const each = Math.ceil(sessions / processes.length);
  const add = async (signedIn: boolean, count: number) => {
    const before = await engine.bytes();
    const cookies = await askAll<string[]>(processes, {
      do: "fill",
      sessions: count,
      signedIn,
    });
    const bytes = await engine.bytes() - before;
    return { cookies, size: Math.round(bytes / (count * processes.length)) };
  };
  // so that all there is beside the sessions is there
  await askAll(processes, { do: "fill", sessions: 1, signedIn: true });
  const anonymous = await add(false, each);
  const signedIn = await add(true, each);
  await Deno.writeTextFile(file, JSON.stringify(anonymous.cookies.flat()));
  await askAll(processes, { do: "take", file });
  return { anonymous: anonymous.size, signedIn: signedIn.size };
}

/** Has processes do something at the same time. */
function askAll<Answer>(
  processes: readonly StoresProcess[],
  command: Command,
): Promise<Answer[]> {
  return Promise.all(processes.map((process) => process.ask<Answer>(command)));
}

/** Measures the engines in turn, so that a noisy minute disturbs all alike. */
export async function measureContenders(
  contenders: readonly Contender[],
  { rounds, seconds }: StoresOptions,
  signal: AbortSignal,
): Promise<StoresSample[]> {
  const samples: StoresSample[] = [];
  // round -1 warms up, and is forgotten
  for (let round = -1; round < rounds; round++) {
    for (const processes of round < 0 ? [Math.max(...PROCESSES)] : PROCESSES) {
      for (const what of STORES_CASES) {
        for (const contender of rotate(contenders, round + 1)) {
          signal.throwIfAborted();
          const plan = {
            what,
            processes,
            seconds: seconds / (round < 0 ? 2 : 1),
          };
          const sample = await measure(contender, plan, round);
          if (round >= 0) samples.push(sample);
        }
      }
    }
    if (round >= 0) console.log(`measured round ${round + 1} of ${rounds}`);
  }
  return samples;
}

function rotate<T>(items: readonly T[], by: number): T[] {
  const at = by % Math.max(1, items.length);
  return [...items.slice(at), ...items.slice(0, at)];
}

async function measure(
  contender: Contender,
  plan: { what: StoresCase; processes: number; seconds: number },
  round: number,
): Promise<StoresSample> {
  const { what, seconds } = plan;
  const processes = contender.processes.slice(0, plan.processes);
  const engineCpu = () => sum(contender.pids.map(cpuSeconds));
  const appCpu = () => sum(processes.map(({ pid }) => cpuSeconds(pid)));
  const [engineBefore, appBefore] = [engineCpu(), appCpu()];
  const answers = await askAll<RunAnswer>(processes, {
    do: "run",
    what,
    seconds,
  });
  const errors: Record<string, number> = {};
  for (const answer of answers) {
    for (const [name, count] of Object.entries(answer.errors)) {
      errors[name] = (errors[name] ?? 0) + count;
    }
  }
  const done = sum(answers.map(({ done }) => done));
  if (what === "hot write") contender.hotWrites += done;
  return {
    engine: contender.name,
    processes: plan.processes,
    what,
    round,
    rate: sum(answers.map(({ done, seconds }) => done / seconds)),
    done,
    errors,
    p50: Math.max(...answers.map(({ p50 }) => p50)),
    p99: Math.max(...answers.map(({ p99 }) => p99)),
    engineCpu: engineCpu() - engineBefore,
    appCpu: appCpu() - appBefore,
  };
}

/** Resolves to how many hot writes were acknowledged and are not there. */
export async function countLost(
  { processes, hotWrites }: Contender,
): Promise<number> {
  const count = await processes[0]?.ask<number>({ do: "count" }) ?? 0;
  // a write that failed may have taken place all the same
  return Math.max(0, hotWrites - count);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
