package io.longshore.client;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ForwardingClientCall.SimpleForwardingClientCall;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.util.UUID;

/** What every call of a client has: the id of its request and, where its message takes one, a client token. */
final class Interceptors {
  static final Metadata.Key<String> REQUEST_ID = Metadata.Key.of("longshore-request-id", Metadata.ASCII_STRING_MARSHALLER);
  private static final String TOKEN = "client_token";

  private Interceptors() {}

  /** gRPC repeats below this, so all repetitions of a call have the same id and token: together they act once. */
  static ClientInterceptor once() {
    return new ClientInterceptor() {
      @Override
      public <Q, R> ClientCall<Q, R> interceptCall(MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
        return new SimpleForwardingClientCall<>(next.newCall(method, options)) {
          @Override
          public void start(Listener<R> listener, Metadata headers) {
            if (!headers.containsKey(REQUEST_ID)) {
              headers.put(REQUEST_ID, randomId());
            }
            super.start(listener, headers);
          }

          @Override
          public void sendMessage(Q request) {
            super.sendMessage(tokened(request));
          }
        };
      }
    };
  }

  @SuppressWarnings("unchecked") // a message's builder builds messages of its type
  private static <Q> Q tokened(Q request) {
    if (request instanceof Message message) {
      FieldDescriptor token = message.getDescriptorForType().findFieldByName(TOKEN);
      if (token != null && message.getField(token).equals("")) {
        return (Q) message.toBuilder().setField(token, randomId()).build();
      }
    }
    return request;
  }

  private static String randomId() {
    return UUID.randomUUID().toString().replace("-", "");
  }
}
