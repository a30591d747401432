package io.longshore.client;

import com.google.protobuf.Descriptors.FieldDescriptor;
import com.google.protobuf.Message;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.function.Function;

/** Pagination as iteration. */
public final class Pages {
  private static final String TOKEN = "next_token";

  private Pages() {}

  /**
   * Every page of a list operation, until there is no next one:
   *
   * <pre>{@code for (var page : Pages.of(client.stateTracker()::listTasks, ListTasksRequest.getDefaultInstance())) { … }}</pre>
   */
  public static <Q extends Message, A extends Message> Iterable<A> of(Function<Q, A> list, Q request) {
    return () -> new Iterator<>() {
      private Q asked = request;

      @Override
      public boolean hasNext() {
        return asked != null;
      }

      @Override
      public A next() {
        if (asked == null) {
          throw new NoSuchElementException();
        }
        A page = list.apply(asked);
        asked = following(asked, page);
        return page;
      }
    };
  }

  @SuppressWarnings("unchecked") // a message's builder builds messages of its type
  private static <Q extends Message> Q following(Q asked, Message page) {
    Object token = page.getField(field(page));
    return token.equals("") ? null : (Q) asked.toBuilder().setField(field(asked), token).build();
  }

  private static FieldDescriptor field(Message message) {
    return message.getDescriptorForType().findFieldByName(TOKEN);
  }
}
