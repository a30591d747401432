package io.longshore.client;

import com.google.protobuf.InvalidProtocolBufferException;
import com.google.protobuf.ListValue;
import com.google.protobuf.Struct;
import com.google.protobuf.Value;
import com.google.protobuf.util.JsonFormat;
import io.grpc.ChannelCredentials;
import io.grpc.ConnectivityState;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.TlsChannelCredentials;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;

/** Channels to the components. */
final class Channels {
  private static final int MESSAGE_LIMIT_BYTES = 16 * 1024 * 1024; // the servers' own
  private static final int MOST_ATTEMPTS = 100; // the service config's count only up to this; the deadline comes first
  private static final long PING_INTERVAL_S = 10; // servers take it as an offence below 5 s
  private static final long PING_TIMEOUT_S = 5;
  private static final long LONGEST_PAUSE_S = 1;
  private static final String SERVICE_CONFIG = "service-config.json";

  private Channels() {}

  /** One channel for all replicas of a component. Nothing is sent yet. */
  static ManagedChannel open(List<String> replicas, ChannelCredentials credentials) {
    ManagedChannel channel =
        Grpc.newChannelBuilder(Replicas.target(replicas), credentials)
            .proxyDetector(address -> null)
            .intercept(Interceptors.once())
            .defaultServiceConfig(serviceConfig())
            .enableRetry()
            .maxRetryAttempts(MOST_ATTEMPTS)
            .maxInboundMessageSize(MESSAGE_LIMIT_BYTES)
            .keepAliveTime(PING_INTERVAL_S, TimeUnit.SECONDS)
            .keepAliveTimeout(PING_TIMEOUT_S, TimeUnit.SECONDS)
            .keepAliveWithoutCalls(true)
            .build();
    reconnectSoon(channel);
    return channel;
  }

  /** What LONGSHORE_TLS_CERT_FILE, LONGSHORE_TLS_KEY_FILE and LONGSHORE_TLS_CA_FILE say; no TLS where none is set. */
  static ChannelCredentials credentialsOfEnvironment() {
    String certificate = System.getenv("LONGSHORE_TLS_CERT_FILE");
    String key = System.getenv("LONGSHORE_TLS_KEY_FILE");
    String authority = System.getenv("LONGSHORE_TLS_CA_FILE");
    if (certificate == null && key == null && authority == null) {
      return InsecureChannelCredentials.create();
    }
    if ((certificate == null) != (key == null)) {
      throw new IllegalArgumentException(
          "A client certificate needs both LONGSHORE_TLS_CERT_FILE and LONGSHORE_TLS_KEY_FILE.");
    }
    try {
      TlsChannelCredentials.Builder tls = TlsChannelCredentials.newBuilder();
      if (certificate != null) {
        tls.keyManager(new File(certificate), new File(key));
      }
      if (authority != null) {
        tls.trustManager(new File(authority));
      }
      return tls.build();
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  /** gRPC's pauses between attempts to connect grow to two minutes here; a component that restarts is back in a second. */
  private static void reconnectSoon(ManagedChannel channel) {
    ConnectivityState state = channel.getState(false);
    if (state == ConnectivityState.SHUTDOWN) {
      return;
    }
    if (state == ConnectivityState.TRANSIENT_FAILURE) {
      Executor later = CompletableFuture.delayedExecutor(LONGEST_PAUSE_S, TimeUnit.SECONDS);
      later.execute(
          () -> {
            channel.resetConnectBackoff();
            channel.notifyWhenStateChanged(ConnectivityState.TRANSIENT_FAILURE, () -> reconnectSoon(channel));
          });
      return;
    }
    channel.notifyWhenStateChanged(state, () -> reconnectSoon(channel));
  }

  private static Map<String, ?> serviceConfig() {
    try (InputStream stream = Channels.class.getResourceAsStream(SERVICE_CONFIG)) {
      Struct.Builder document = Struct.newBuilder();
      JsonFormat.parser().merge(new String(stream.readAllBytes(), StandardCharsets.UTF_8), document);
      return plain(document.build());
    } catch (InvalidProtocolBufferException failed) {
      throw new IllegalStateException(SERVICE_CONFIG + " is no JSON", failed);
    } catch (IOException failed) {
      throw new UncheckedIOException(failed);
    }
  }

  private static Map<String, Object> plain(Struct document) {
    Map<String, Object> found = new HashMap<>();
    document.getFieldsMap().forEach((name, value) -> found.put(name, plain(value)));
    return found;
  }

  private static Object plain(Value value) {
    return switch (value.getKindCase()) {
      case STRUCT_VALUE -> plain(value.getStructValue());
      case LIST_VALUE -> plain(value.getListValue());
      case NUMBER_VALUE -> value.getNumberValue();
      case BOOL_VALUE -> value.getBoolValue();
      default -> value.getStringValue();
    };
  }

  private static List<Object> plain(ListValue list) {
    return list.getValuesList().stream().map(Channels::plain).toList();
  }
}
