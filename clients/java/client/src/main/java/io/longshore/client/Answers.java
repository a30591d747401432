package io.longshore.client;

import io.grpc.Context;
import io.grpc.Deadline;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import java.util.Iterator;
import java.util.NoSuchElementException;
import java.util.concurrent.ThreadLocalRandom;
import java.util.concurrent.TimeUnit;
import java.util.function.Consumer;
import java.util.function.Supplier;

/**
 * The answers of a stream that is begun anew each time it is lost, none missing and none twice. For one thread; to be closed by who
 * opened it. A stream that is refused throws gRPC's StatusRuntimeException, as the stubs do.
 *
 * @param <T> the answer
 */
public final class Answers<T> implements Iterable<T>, Iterator<T>, AutoCloseable {
  private static final long FIRST_PAUSE_MS = 50;
  private static final long LONGEST_PAUSE_MS = 1_000;

  private final Context.CancellableContext scope;
  private final Supplier<Iterator<T>> begin;
  private final Consumer<T> moveOn;
  private final Ends ends;
  private Iterator<T> stream;
  private T next;
  private boolean over;
  private long pauseMs = FIRST_PAUSE_MS;

  /** Whether a stream is not to be begun anew. */
  interface Ends {
    boolean test(StatusRuntimeException lost); // null: it has ended well
  }

  Answers(Supplier<Iterator<T>> begin, Consumer<T> moveOn, Ends ends) {
    this.scope = Context.current().withCancellation();
    this.begin = begin;
    this.moveOn = moveOn;
    this.ends = ends;
  }

  @Override
  public Iterator<T> iterator() {
    return this;
  }

  @Override
  public boolean hasNext() {
    while (next == null && !over) {
      StatusRuntimeException lost = advance();
      if (next == null && !over) {
        over = ends.test(lost);
        if (over && lost != null) {
          throw lost;
        }
        stream = null;
        if (!over) {
          pause();
        }
      }
    }
    return next != null;
  }

  @Override
  public T next() {
    if (!hasNext()) {
      throw new NoSuchElementException();
    }
    T answer = next;
    next = null;
    return answer;
  }

  /** End the stream. */
  @Override
  public void close() {
    over = true;
    scope.cancel(null);
  }

  /** Take one answer; returns why there was none, or null where there was or the stream has ended well. */
  private StatusRuntimeException advance() {
    try {
      if (stream == null) {
        stream = scope.call(begin::get);
      }
      if (stream.hasNext()) {
        next = stream.next();
        // Before it is handed out: whoever took it has it, however the stream ends.
        moveOn.accept(next);
        pauseMs = FIRST_PAUSE_MS;
      }
      return null;
    } catch (StatusRuntimeException thrown) {
      if (thrown.getStatus().getCode() != Status.Code.UNAVAILABLE) {
        over = true;
        throw thrown;
      }
      return thrown;
    } catch (RuntimeException thrown) {
      throw thrown;
    } catch (Exception impossible) {
      throw new IllegalStateException(impossible);
    }
  }

  private void pause() {
    try {
      TimeUnit.MILLISECONDS.sleep(ThreadLocalRandom.current().nextLong(pauseMs + 1));
      pauseMs = Math.min(LONGEST_PAUSE_MS, 2 * pauseMs);
    } catch (InterruptedException interrupted) {
      Thread.currentThread().interrupt();
      over = true;
      throw Status.CANCELLED.withDescription("interrupted").withCause(interrupted).asRuntimeException();
    }
    Deadline deadline = scope.getDeadline();
    if (deadline != null && deadline.isExpired()) {
      over = true;
      throw Status.DEADLINE_EXCEEDED.withDescription("no answer in time").asRuntimeException();
    }
  }
}
