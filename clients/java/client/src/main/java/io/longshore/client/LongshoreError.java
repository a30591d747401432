package io.longshore.client;

import com.google.protobuf.Any;
import com.google.protobuf.InvalidProtocolBufferException;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import java.util.Map;
import java.util.Optional;
import java.util.stream.Stream;

/**
 * What a call was refused with, as ECS names it. The stubs throw gRPC's own exception; this reads it:
 *
 * <pre>{@code
 * catch (StatusRuntimeException refused) {
 *   if (LongshoreError.of(refused).is(Reason.CLUSTER_NOT_FOUND_EXCEPTION)) { … }
 * }
 * }</pre>
 *
 * <p>What ECS answers inside a success (failures with RESOURCE:CPU) is in the answer.
 *
 * @param code what to do about it, in gRPC's terms
 * @param name the error's name; empty where the status came from something that knows none: gRPC itself, a proxy
 * @param message for people
 * @param metadata what the message speaks of, for programs
 */
public record LongshoreError(Status.Code code, String name, String message, Map<String, String> metadata) {
  private static final String DOMAIN = "longshore";

  /** Reads what a stub has thrown. */
  public static LongshoreError of(StatusRuntimeException thrown) {
    ErrorInfo info = ErrorInfo.getDefaultInstance();
    com.google.rpc.Status status = StatusProto.fromThrowable(thrown);
    if (status != null) {
      info = status.getDetailsList().stream().flatMap(LongshoreError::ours).findFirst().orElse(info);
    }
    String said = thrown.getStatus().getDescription();
    return new LongshoreError(
        thrown.getStatus().getCode(), info.getReason(), said == null ? "" : said, info.getMetadataMap());
  }

  /** The name as a constant; empty where there is none, or one that a later release has made up. */
  public Optional<Reason> reason() {
    return Reason.of(name);
  }

  /** Whether it is that one. */
  public boolean is(Reason reason) {
    return reason.toString().equals(name);
  }

  private static Stream<ErrorInfo> ours(Any detail) {
    try {
      if (detail.is(ErrorInfo.class)) {
        ErrorInfo info = detail.unpack(ErrorInfo.class);
        return info.getDomain().equals(DOMAIN) ? Stream.of(info) : Stream.empty();
      }
    } catch (InvalidProtocolBufferException broken) {
      // Not what we send: the status alone tells.
    }
    return Stream.empty();
  }
}
