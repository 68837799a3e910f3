// Command: serve as a configuration file says until interrupted; prints LISTENING and the port.
import { readConfig } from "./prover/config.js";
import { fingerprintText, HONEST, type Parts, ProverServer } from "./prover/server.js";

export async function serve(args: readonly string[], parts: Parts): Promise<void> {
  const at = args.indexOf("--config");
  const path = at < 0 ? undefined : args[at + 1];
  if (path === undefined) {
    console.error("usage: prover --config FILE");
    process.exitCode = 2;
    return;
  }
  const config = readConfig(path);
  const server = new ProverServer(config, parts);
  const port = await server.listen();
  console.log(`LISTENING ${port} ${fingerprintText(config)}`);
  const stop = (): void => {
    server.close();
    process.exit(0);
  };
  process.on("SIGINT", stop);
  process.on("SIGTERM", stop);
}

if (process.argv[1]?.endsWith("prover.js") === true) await serve(process.argv.slice(2), HONEST);
