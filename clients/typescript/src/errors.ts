import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import { Code, ConnectError } from "@connectrpc/connect";

import type { Reason } from "./reasons.js";

const DOMAIN = "longshore";
const ERROR_INFO = "google.rpc.ErrorInfo";

/**
 * What a call was refused with. Every error that a call of a client throws is one:
 *
 *     catch (error) {
 *       if (error instanceof LongshoreError && error.reason === "ClusterNotFoundException") { … }
 *     }
 *
 * What ECS answers inside a success (failures with RESOURCE:CPU) is in the answer.
 */
export class LongshoreError extends Error {
  override name = "LongshoreError";

  constructor(
    /** What to do about it, in gRPC's terms. */
    readonly code: Code,
    /** The error's name. Absent where the status came from something that knows none: gRPC itself, a proxy. */
    readonly reason: Reason | undefined,
    message: string,
    /** What the message speaks of, for programs. */
    readonly metadata: Readonly<Record<string, string>> = {},
    cause?: unknown,
  ) {
    super(message, { cause });
  }
}

/** The error of a call, with its name. `cancelled` says whether the caller has given the call up. */
export function named(thrown: unknown, cancelled: boolean): LongshoreError {
  if (thrown instanceof LongshoreError) {
    return thrown;
  }
  const error = ConnectError.from(thrown);
  for (const detail of error.details) {
    if ("type" in detail && detail.type === ERROR_INFO) {
      const info = errorInfo(detail.value);
      if (info.domain === DOMAIN) {
        return new LongshoreError(error.code, info.reason as Reason, error.rawMessage, info.metadata, thrown);
      }
    }
  }
  const code = wasLost(error, cancelled) ? Code.Unavailable : error.code;
  return new LongshoreError(code, undefined, error.rawMessage, {}, thrown);
}

/** Whether the connection has ended under a call. Node's HTTP/2 has many names for that, and none of them is a status. */
function wasLost(error: ConnectError, cancelled: boolean): boolean {
  if (error.metadata.has("grpc-status")) {
    return false; // the server has said so
  }
  switch (error.code) {
    case Code.Aborted:
    case Code.Unknown:
    case Code.Unavailable:
      return true;
    case Code.Canceled:
      return !cancelled;
    case Code.Internal:
      return error.cause !== undefined || /missing status|stream closed/.test(error.rawMessage);
    default:
      return false;
  }
}

interface ErrorInfo {
  reason: string;
  domain: string;
  metadata: Record<string, string>;
}

/** google.rpc.ErrorInfo, read by hand: three members are no reason for a package of Google's protos. */
function errorInfo(bytes: Uint8Array): ErrorInfo {
  const info: ErrorInfo = { reason: "", domain: "", metadata: {} };
  eachMember(bytes, (member, reader) => {
    if (member === 1) {
      info.reason = reader.string();
    } else if (member === 2) {
      info.domain = reader.string();
    } else if (member === 3) {
      let key = "";
      let value = "";
      eachMember(reader.bytes(), (half, entry) => {
        if (half === 1) {
          key = entry.string();
        } else if (half === 2) {
          value = entry.string();
        } else {
          return false;
        }
        return true;
      });
      info.metadata[key] = value;
    } else {
      return false;
    }
    return true;
  });
  return info;
}

function eachMember(bytes: Uint8Array, take: (member: number, reader: BinaryReader) => boolean): void {
  const reader = new BinaryReader(bytes);
  while (reader.pos < reader.len) {
    const [member, type] = reader.tag();
    if (type !== WireType.LengthDelimited || !take(member, reader)) {
      reader.skip(type, member);
    }
  }
}
