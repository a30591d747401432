package io.longshore.examples.internal;

import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import com.google.protobuf.CodedOutputStream;
import com.google.protobuf.Message;
import com.google.protobuf.MessageOrBuilder;
import com.google.protobuf.util.JsonFormat;
import com.google.protobuf.util.Timestamps;
import io.grpc.StatusRuntimeException;
import io.longshore.client.LongshoreClient;
import io.longshore.client.LongshoreError;
import io.longshore.v1.ContainerObservation;
import io.longshore.v1.Event;
import io.longshore.v1.TaskStatus;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.Map;

/**
 * Makes the calls of a table (tests/clients/cases.json) through the generated stubs and prints what came of each, in the canonical JSON
 * of protobuf: the clients of all languages are held to the same answers.
 */
public final class Cases {
  private final Map<String, Object> stubs;
  private final Map<String, String> kept = new HashMap<>();

  private Cases(LongshoreClient client) {
    stubs =
        Map.of(
            "RegistryService", client.registry(),
            "SchedulerService", client.scheduler(),
            "StateTrackerService", client.stateTracker());
  }

  public static void main(String[] arguments) throws IOException, ReflectiveOperationException {
    JsonObject table = JsonParser.parseReader(new InputStreamReader(System.in, StandardCharsets.UTF_8)).getAsJsonObject();
    JsonArray results = new JsonArray();
    try (LongshoreClient client = LongshoreClient.connect()) {
      Cases cases = new Cases(client);
      for (JsonElement call : table.getAsJsonArray("calls")) {
        results.add(cases.made(call.getAsJsonObject()));
      }
    }
    for (JsonElement message : table.getAsJsonArray("messages")) {
      results.add(read(message.getAsJsonObject()));
    }
    new PrintStream(System.out, true, StandardCharsets.UTF_8).println(results);
  }

  private JsonObject made(JsonObject call) throws IOException, ReflectiveOperationException {
    String[] called = call.get("call").getAsString().split("/");
    Object stub = stubs.get(called[0]);
    String name = Character.toLowerCase(called[1].charAt(0)) + called[1].substring(1);
    Method method = Arrays.stream(stub.getClass().getMethods()).filter(each -> each.getName().equals(name)).findFirst().orElseThrow();
    String asked = call.get("request").toString();
    for (Map.Entry<String, String> each : kept.entrySet()) {
      asked = asked.replace("${" + each.getKey() + "}", each.getValue());
    }
    Message.Builder request = (Message.Builder) method.getParameterTypes()[0].getMethod("newBuilder").invoke(null);
    JsonFormat.parser().merge(asked, request);
    JsonObject result = new JsonObject();
    result.add("name", call.get("name"));
    try {
      JsonElement answer = json((MessageOrBuilder) method.invoke(stub, request.build()));
      result.add("answer", answer);
      if (call.has("keep")) {
        call.getAsJsonObject("keep").entrySet().forEach(each -> kept.put(each.getKey(), at(answer, each.getValue().getAsString())));
      }
    } catch (InvocationTargetException thrown) {
      if (!(thrown.getCause() instanceof StatusRuntimeException refused)) {
        throw thrown;
      }
      LongshoreError refusal = LongshoreError.of(refused);
      JsonObject error = new JsonObject();
      error.addProperty("code", refusal.code().name());
      error.addProperty("reason", refusal.reason().orElseThrow().toString());
      error.addProperty("message", refusal.message());
      result.add("error", error);
    }
    return result;
  }

  /** What is in an event as this language's programs see it, beside its JSON and its bytes written anew. */
  private static JsonObject read(JsonObject message) throws IOException {
    Event event = Event.parseFrom(Base64.getDecoder().decode(message.get("bytes").getAsString()));
    JsonObject facts = new JsonObject();
    facts.addProperty("next_sequence", Long.toString(event.getSequence() + 1));
    facts.addProperty("at", event.hasAt() ? Long.toString(Timestamps.toMicros(event.getAt())) : "absent");
    facts.addProperty(
        "change",
        switch (event.getChangeCase()) {
          case TASK -> "task";
          case CONTAINER_INSTANCE -> "container_instance";
          case CHANGE_NOT_SET -> "none";
        });
    facts.addProperty("running", event.getTask().getLastStatus() == TaskStatus.TASK_STATUS_RUNNING);
    facts.addProperty("last_status", event.getTask().getLastStatusValue());
    JsonArray codes = new JsonArray();
    for (ContainerObservation container : event.getTask().getContainersList()) {
      codes.add(container.hasExitCode() ? Integer.toString(container.getExitCode()) : "absent");
    }
    facts.add("exit_codes", codes);
    JsonObject result = new JsonObject();
    result.add("name", message.get("name"));
    result.add("json", json(event));
    result.addProperty("bytes", Base64.getEncoder().encodeToString(bytes(event)));
    result.add("facts", facts);
    return result;
  }

  private static byte[] bytes(Message message) throws IOException {
    byte[] written = new byte[message.getSerializedSize()];
    CodedOutputStream output = CodedOutputStream.newInstance(written);
    output.useDeterministicSerialization();
    message.writeTo(output);
    output.checkNoSpaceLeft();
    return written;
  }

  private static JsonElement json(MessageOrBuilder message) throws IOException {
    return JsonParser.parseString(JsonFormat.printer().print(message));
  }

  private static String at(JsonElement document, String path) {
    JsonElement found = document;
    for (String step : path.split("\\.")) {
      found = found.isJsonArray() ? found.getAsJsonArray().get(Integer.parseInt(step)) : found.getAsJsonObject().get(step);
    }
    return found.getAsString();
  }
}
