// Command: run the suite's core against every mutant, and write which requirement killed which.
// usage: mutantrun [--parley COMMAND] [--out FILE] [--jobs N] [NAME]...
import { execFileSync, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { MUTANTS } from "./mutants.js";

interface Report {
  readonly verdict: string;
  readonly requirements: readonly { readonly id: string; readonly status: string }[];
}

interface Line { readonly name: string; readonly killed: boolean; readonly by: readonly string[] }

function option(args: string[], name: string, otherwise: string): string {
  const at = args.indexOf(name);
  return at < 0 ? otherwise : (args.splice(at, 2)[1] ?? otherwise);
}

/** Parties, a model claim and a configuration in a folder of their own. */
function prepare(folder: string, parley: string): void {
  const run = (...args: string[]): Buffer => execFileSync(parley, args, { cwd: folder, stdio: "pipe" });
  run("keygen", "lab", "--name", "Lab", "--role", "prover", "--endpoint", "127.0.0.1:1");
  run("keygen", "suite", "--name", "Suite", "--role", "verifier");
  writeFileSync(join(folder, "model.txt"), "a sum of two numbers\n");
  run("model", "register", "model.txt", "--party", "lab", "--name", "sum", "--out", "claim.json");
}

function configure(folder: string, name: string): string {
  const path = join(folder, `${name}.json`);
  writeFileSync(path, JSON.stringify({
    party: "lab", listen: "127.0.0.1:0", peers: ["suite/card.json"], models: ["claim.json"], journal: `${name}.journal`,
    engine: { kind: "sum", otherwise: "x" },
  }));
  return path;
}

/** Starts a prover; gives its port and how to stop it. */
function start(name: string | null, config: string): Promise<{ port: string; stop(): void }> {
  const script = fileURLToPath(new URL(name === null ? "./prover.js" : "./mutants.js", import.meta.url));
  const env = { ...process.env, PARLEY_MUTANT: name ?? "" };
  const child = spawn(process.execPath, [script, "--config", config], { env, stdio: ["ignore", "pipe", "ignore"] });
  return new Promise((resolve, reject) => {
    child.on("exit", (code) => reject(new Error(`the prover ended with ${code}`)));
    let seen = "";
    child.stdout.on("data", (data: Buffer) => {
      seen += data.toString();
      const port = /LISTENING ([0-9]+)/.exec(seen)?.[1];
      if (port !== undefined) resolve({ port, stop: () => child.kill() });
    });
  });
}

function suite(folder: string, parley: string, name: string, port: string): Promise<Report | null> {
  const args = [
    "conformance", "run", "--prover", `127.0.0.1:${port}`, "--party", "suite", "--peer", "lab/card.json", "--out", `${name}.out`,
    "--deadline", "8",
  ];
  const child = spawn(parley, args, { cwd: folder, stdio: "ignore", timeout: 900_000 });
  return new Promise((resolve) => child.on("exit", () => {
    try {
      resolve(JSON.parse(readFileSync(join(folder, `${name}.out`, "report.json"), "utf8")) as Report);
    } catch {
      resolve(null);
    }
  }));
}

async function one(folder: string, parley: string, name: string): Promise<Line> {
  const prover = await start(name === "honest" ? null : name, configure(folder, name));
  try {
    const report = await suite(folder, parley, name, prover.port);
    const by = report === null ? ["no report"] : report.requirements.filter((r) => r.status === "failed").map((r) => r.id);
    const wanted = MUTANTS[name]?.requirement;
    return { name, by, killed: wanted === undefined ? by.length > 0 : by.includes(wanted) };
  } finally {
    prover.stop();
  }
}

function table(lines: readonly Line[]): string {
  const rows = lines.map(({ name, killed, by }) => {
    const mutant = MUTANTS[name];
    return `| ${name} | ${mutant?.what ?? "changes nothing"} | ${mutant?.requirement ?? "none"} | ${killed ? "killed" : "survives"} | ${by.join(" ")} |`;
  });
  return ["| mutant | what it does | requirement | core | failed requirements |", "|---|---|---|---|---|", ...rows, ""].join("\n");
}

async function main(args: string[]): Promise<number> {
  const parley = option(args, "--parley", process.env["PARLEY"] ?? "parley");
  const out = option(args, "--out", "mutants.md");
  const jobs = Number(option(args, "--jobs", "2"));
  const names = args.length > 0 ? args : ["honest", ...Object.keys(MUTANTS)];
  const folder = mkdtempSync(join(tmpdir(), "parley-mutants-"));
  try {
    prepare(folder, parley);
    const queue = [...names.entries()];
    const lines: Line[] = [];
    const worker = async (): Promise<void> => {
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        const line = await one(folder, parley, next[1]);
        lines[next[0]] = line;
        console.log(`${line.name}: ${line.killed ? "killed" : "survives"} (${line.by.join(" ")})`);
      }
    };
    await Promise.all(Array.from({ length: jobs }, worker));
    writeFileSync(out, table(lines));
    return lines.every((line) => line.killed === (line.name !== "honest")) ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = await main(process.argv.slice(2));
