// Frames and refusals on the wire: how turns are cut into chunks, how a reason becomes a gRPC status.
import { Metadata, status } from "@grpc/grpc-js";
import { randomBytes } from "node:crypto";
import type { Bytes } from "../bytes.js";
import type { Envelope } from "../envelope.js";
import { type Reason, refuse, Refusal } from "../errors.js";
import * as M from "../messages.js";
import { bytes, manySub, message, text, u32 } from "../protobuf.js";
import type { StoredTurn } from "./journal.js";

export const CHUNK = 262144;

const NO_FRAME: M.Frame = { envelope: undefined, chunk: undefined, ping: undefined, resume: undefined, side: undefined };

function carry(part: Partial<M.Frame>): Bytes {
  return M.FrameCarrier.write({ frame: { ...NO_FRAME, ...part } });
}

/** A frame of a stream; the first one has to begin or to continue a session. */
export function readFrame(data: Bytes, first: boolean): M.Frame {
  const { frame } = M.FrameCarrier.read(data).value;
  const given = frame === undefined ? [] : Object.values(frame).filter((part) => part !== undefined);
  const begins = frame?.envelope !== undefined || frame?.resume !== undefined;
  if (first && !begins) return refuse("OUT_OF_ORDER", "a first frame that begins nothing");
  if (frame === undefined || given.length !== 1) return refuse("MALFORMED", "a frame that carries nothing, or too much");
  return frame;
}

export function envelopeOf(frame: NonNullable<M.Frame["envelope"]>): Envelope {
  return { payloadType: frame.payload_type, payload: frame.payload, signatures: frame.signatures };
}

export function* framesOf(turn: StoredTurn): Generator<Bytes> {
  const { payloadType, payload, signatures } = turn.envelope;
  yield carry({ envelope: { payload_type: payloadType, payload, signatures } });
  const content = Buffer.concat(turn.blobs);
  for (let at = 0; at < content.length; at += CHUNK) {
    yield carry({ chunk: { offset: BigInt(at), data: content.subarray(at, at + CHUNK) } });
  }
}

export function pong(): Bytes {
  return carry({ ping: { reply: true } });
}

export function resumeFrame(resume: M.Resume): Bytes {
  return carry({ resume });
}

const Any = message({ type_url: text(1), value: bytes(2) });
const ErrorInfo = message({ reason: text(1), domain: text(2) });
const Status = message({ code: u32(1), message: text(2), details: manySub(3, Any) });

const CODES: Partial<Record<Reason, number>> = {
  MALFORMED: status.INVALID_ARGUMENT, TOO_LARGE: status.INVALID_ARGUMENT, UNKNOWN_PARTY: status.UNAUTHENTICATED,
  SESSION_LIMIT: status.RESOURCE_EXHAUSTED, TIMEOUT: status.DEADLINE_EXCEEDED, UNSUPPORTED: status.UNIMPLEMENTED,
  INTERNAL: status.INTERNAL,
};

export interface WireError { readonly code: number; readonly details: string; readonly metadata: Metadata }

/** The status of a refusal; anything unforeseen is INTERNAL with a random reference and no words of its own. */
export function wireError(error: unknown): WireError {
  const reason: Reason = error instanceof Refusal ? error.reason : "INTERNAL";
  const details = error instanceof Refusal ? reason : `INTERNAL ${randomBytes(8).toString("hex")}`;
  if (!(error instanceof Refusal)) console.error(details, error);
  const code = CODES[reason] ?? status.FAILED_PRECONDITION;
  const info = ErrorInfo.write({ reason, domain: "parley" });
  const metadata = new Metadata();
  metadata.set("grpc-status-details-bin", Buffer.from(Status.write({
    code, message: details, details: [{ type_url: "type.googleapis.com/google.rpc.ErrorInfo", value: info }],
  })));
  return { code, details, metadata };
}

