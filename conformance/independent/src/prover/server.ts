// The gRPC service over mutual TLS: who is admitted, one queue for each stream, how streams end.
import {
  type sendUnaryData, Server, ServerCredentials, type ServerDuplexStream, type ServerUnaryCall, type ServiceDefinition,
} from "@grpc/grpc-js";
import type { PeerCertificate } from "node:tls";
import { type Bytes, equal, hex } from "../bytes.js";
import { MAX_PAYLOAD } from "../envelope.js";
import { demand, refuse, Refusal } from "../errors.js";
import { sha256 } from "../framing.js";
import { DescribeResponse } from "../messages.js";
import { Machine } from "../machine.js";
import type { Config, Peer } from "./config.js";
import { Dialogue, type Surroundings } from "./dialogue.js";
import { type Engine, makeEngine } from "./engine.js";
import { Incoming } from "./incoming.js";
import { Speaker } from "./speaker.js";
import { type MakeMachine, Store } from "./store.js";
import { wireError } from "./wire.js";

type Call = ServerDuplexStream<Buffer, Buffer>;

/** The parts of a prover; a test may put others in their place. */
export interface Parts {
  readonly machine: MakeMachine;
  readonly speaker: (config: Config, engine: Engine) => Speaker;
  readonly incoming: () => Incoming;
  readonly dialogue: (around: Surroundings) => Dialogue;
  readonly store: (config: Config, machine: MakeMachine) => Store;
  readonly refused: typeof wireError;
}

export const HONEST: Parts = {
  machine: (options) => new Machine(options),
  speaker: (config, engine) => new Speaker(config, engine),
  incoming: () => new Incoming(),
  dialogue: (around) => new Dialogue(around),
  store: (config, machine) => new Store(config, machine),
  refused: wireError,
};

const raw = { serialize: (b: Uint8Array) => Buffer.from(b), deserialize: (b: Buffer) => b };
const method = (path: string, stream: boolean) => ({
  path, requestStream: stream, responseStream: stream, requestSerialize: raw.serialize, requestDeserialize: raw.deserialize,
  responseSerialize: raw.serialize, responseDeserialize: raw.deserialize,
});
const SERVICE: ServiceDefinition = {
  Describe: method("/parley.v1.Prover/Describe", false),
  Session: method("/parley.v1.Prover/Session", true),
};

class Stream {
  private timer: NodeJS.Timeout | null = null;
  private ended = false;
  private places = 0;
  id: string | null = null;
  dialogue: Dialogue | null = null;

  constructor(private readonly call: Call, private readonly prover: ProverServer) {}

  send(frame: Bytes): void {
    if (!this.ended) this.call.write(Buffer.from(frame));
  }

  hold(): void {
    if (this.places++ === 0) this.prover.live++;
  }

  start(dialogue: Dialogue): void {
    this.dialogue = dialogue;
    this.clock();
    this.call.on("data", (data: Buffer) => {
      if (this.ended) return;
      const before = dialogue.length;
      try {
        dialogue.frame(new Uint8Array(data));
        if (!this.ended && dialogue.length > before) this.clock();
      } catch (error) {
        this.fail(error);
      }
    });
    this.call.on("end", () => this.finish());
    this.call.on("cancelled", () => this.release());
    this.call.on("error", () => this.release());
  }

  fail(error: unknown): void {
    if (this.ended) return;
    this.release();
    this.call.emit("error", this.prover.parts.refused(error));
  }

  private finish(): void {
    if (this.ended) return;
    this.release();
    this.call.end();
  }

  private release(): void {
    if (this.ended) return;
    this.ended = true;
    if (this.timer !== null) clearTimeout(this.timer);
    if (this.places > 0) this.prover.live--;
    this.prover.detach(this);
  }

  private clock(): void {
    if (this.timer !== null) clearTimeout(this.timer);
    const wait = this.prover.config.idleSeconds * 1000;
    this.timer = setTimeout(() => this.fail(new Refusal("TIMEOUT", "silence")), wait);
  }
}

export class ProverServer {
  live = 0;
  private readonly server: Server;
  private readonly store: Store;
  private readonly speaker: Speaker;
  private readonly streams = new Map<string, Stream>();

  constructor(readonly config: Config, readonly parts: Parts = HONEST) {
    this.store = parts.store(config, parts.machine);
    this.speaker = parts.speaker(config, makeEngine(config.engine));
    this.server = new Server({ "grpc.max_receive_message_length": 4 * MAX_PAYLOAD });
    this.server.addService(SERVICE, {
      Describe: (call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>) => this.describe(call, done),
      Session: (call: Call) => this.session(call),
    });
  }

  /** Binds and serves; gives the port. */
  listen(): Promise<number> {
    const { identity, peers, listen } = this.config;
    const roots = Buffer.from(peers.map((peer) => peer.pem).join("\n"));
    const pair = { private_key: Buffer.from(identity.tlsKey), cert_chain: Buffer.from(identity.tlsPem) };
    const credentials = ServerCredentials.createSsl(roots, [pair], true);
    return new Promise((resolve, reject) => {
      this.server.bindAsync(listen, credentials, (error, port) => (error === null ? resolve(port) : reject(error)));
    });
  }

  close(): void {
    this.server.forceShutdown();
    this.store.close();
  }

  detach(stream: Stream): void {
    if (stream.id !== null && this.streams.get(stream.id) === stream) this.streams.delete(stream.id);
  }

  /** The pinned party whose certificate the channel has, byte for byte. */
  private admitted(certificate: PeerCertificate | undefined): Peer {
    const der = certificate?.raw;
    const peer = der === undefined ? undefined : this.config.peers.find((p) => equal(p.der, new Uint8Array(der)));
    return peer ?? refuse("UNKNOWN_PARTY", "a certificate that is not pinned");
  }

  private describe(call: ServerUnaryCall<Buffer, Buffer>, done: sendUnaryData<Buffer>): void {
    try {
      this.admitted(call.getAuthContext().sslPeerCertificate);
      const { identity, models, sessions } = this.config;
      done(null, Buffer.from(DescribeResponse.write({
        versions: [1], suites: [1], modes: ["open"], root: identity.root, model_claims: models.map((m) => m.sealed),
        max_payload: BigInt(MAX_PAYLOAD), max_sessions: sessions, capabilities: ["resume"],
      })));
    } catch (error) {
      done(this.parts.refused(error));
    }
  }

  private session(call: Call): void {
    const stream = new Stream(call, this);
    try {
      const peer = this.admitted(call.getAuthContext().sslPeerCertificate);
      stream.start(this.parts.dialogue({
        store: this.store, speaker: this.speaker, peerTls: sha256(peer.der), peerRoot: peer.root,
        incoming: this.parts.incoming(),
        send: (frame) => stream.send(frame),
        reserve: () => {
          demand(this.live < this.config.sessions, "SESSION_LIMIT", "too many sessions at once");
          stream.hold();
        },
        attach: (id) => {
          this.streams.get(id)?.fail(new Refusal("ABORTED", "a newer stream"));
          stream.id = id;
          this.streams.set(id, stream);
        },
      }));
    } catch (error) {
      stream.fail(error);
    }
  }
}

export function fingerprintText(config: Config): string {
  return hex(config.identity.root);
}
