import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import io.grpc.CallOptions;
import io.grpc.ChannelCredentials;
import io.grpc.ClientCall;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.Status;
import io.grpc.internal.GrpcUtil;
import io.grpc.xds.XdsChannelCredentials;
import java.io.BufferedReader;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;
import java.util.logging.ConsoleHandler;
import java.util.logging.Level;
import java.util.logging.Logger;

/** A client of grpc-java's that does what the lines on its standard input say. */
public final class Peer {
  private static final Gson GSON = new Gson();
  private static final Map<String, ManagedChannel> CHANNELS = new ConcurrentHashMap<>();
  private static final ExecutorService WORKERS = Executors.newCachedThreadPool();
  /** Held, or the collector takes its level away. */
  private static final Logger XDS = Logger.getLogger("io.grpc.xds");

  /** Bytes are what they are. */
  private static final MethodDescriptor.Marshaller<byte[]> RAW =
      new MethodDescriptor.Marshaller<>() {
        @Override
        public InputStream stream(byte[] value) {
          return new ByteArrayInputStream(value);
        }

        @Override
        public byte[] parse(InputStream stream) {
          try {
            return stream.readAllBytes();
          } catch (IOException error) {
            throw new IllegalStateException(error);
          }
        }
      };

  public static void main(String[] args) throws IOException {
    logDiscovery();
    JsonObject ready = new JsonObject();
    ready.addProperty("ready", true);
    ready.addProperty("name", "grpc-java");
    ready.addProperty("version", GrpcUtil.getGrpcBuildVersion().getImplementationVersion());
    say(ready);
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      JsonObject command = GSON.fromJson(line, JsonObject.class);
      WORKERS.execute(() -> say(answer(command)));
    }
    System.exit(0);
  }

  private static void logDiscovery() {
    ConsoleHandler handler = new ConsoleHandler();
    handler.setLevel(Level.ALL);
    XDS.addHandler(handler);
    XDS.setUseParentHandlers(false);
    XDS.setLevel(Level.FINE);
  }

  private static synchronized void say(JsonObject line) {
    System.out.println(GSON.toJson(line));
    System.out.flush();
  }

  private static JsonObject answer(JsonObject command) {
    JsonObject answer = new JsonObject();
    try {
      carryOut(command, answer);
    } catch (Exception error) {
      answer.addProperty("error", String.valueOf(error));
    }
    answer.add("id", command.get("id"));
    return answer;
  }

  private static void carryOut(JsonObject command, JsonObject answer) throws Exception {
    String channel = command.get("channel").getAsString();
    switch (command.get("do").getAsString()) {
      case "open" -> {
        ChannelCredentials plain = InsecureChannelCredentials.create();
        boolean isXds = "xds".equals(text(command, "credentials", "insecure"));
        ChannelCredentials credentials = isXds ? XdsChannelCredentials.create(plain) : plain;
        CHANNELS.put(channel, Grpc.newChannelBuilder(command.get("target").getAsString(), credentials).build());
      }
      case "close" -> CHANNELS.remove(channel).shutdownNow();
      case "call" -> answer.add("answers", calls(CHANNELS.get(channel), command));
      default -> throw new IllegalArgumentException("no such command");
    }
  }

  private static String text(JsonObject from, String name, String other) {
    return from.has(name) ? from.get(name).getAsString() : other;
  }

  private static int number(JsonObject from, String name, int other) {
    return from.has(name) ? from.get(name).getAsInt() : other;
  }

  private static JsonArray calls(ManagedChannel channel, JsonObject command) throws Exception {
    int count = number(command, "count", 1);
    ExecutorService lanes = Executors.newFixedThreadPool(number(command, "parallel", 1));
    List<CompletableFuture<JsonObject>> pending = new ArrayList<>();
    for (int index = 0; index < count; index++) {
      pending.add(CompletableFuture.supplyAsync(() -> call(channel, command).join(), lanes));
    }
    JsonArray answers = new JsonArray();
    for (CompletableFuture<JsonObject> one : pending) {
      answers.add(one.get());
    }
    lanes.shutdown();
    return answers;
  }

  private static CompletableFuture<JsonObject> call(ManagedChannel channel, JsonObject command) {
    MethodDescriptor<byte[], byte[]> method =
        MethodDescriptor.newBuilder(RAW, RAW)
            .setType(MethodDescriptor.MethodType.UNARY)
            .setFullMethodName(command.get("method").getAsString().substring(1))
            .build();
    int deadlineMs = number(command, "deadlineMs", 10_000);
    CallOptions options = CallOptions.DEFAULT.withDeadlineAfter(deadlineMs, TimeUnit.MILLISECONDS);
    if (command.has("waitForReady") && command.get("waitForReady").getAsBoolean()) {
      options = options.withWaitForReady();
    }
    ClientCall<byte[], byte[]> call = channel.newCall(method, options);
    Unary listener = new Unary();
    call.start(listener, metadata(command));
    call.request(2);
    call.sendMessage(new byte[0]);
    call.halfClose();
    return listener.answer;
  }

  private static Metadata metadata(JsonObject command) {
    Metadata metadata = new Metadata();
    if (!command.has("headers")) {
      return metadata;
    }
    for (Map.Entry<String, JsonElement> header : command.getAsJsonObject("headers").entrySet()) {
      JsonElement value = header.getValue();
      Iterable<JsonElement> values = value.isJsonArray() ? value.getAsJsonArray() : List.of(value);
      for (JsonElement one : values) {
        put(metadata, header.getKey(), one.getAsString());
      }
    }
    return metadata;
  }

  private static void put(Metadata metadata, String name, String value) {
    if (name.endsWith("-bin")) {
      metadata.put(Metadata.Key.of(name, Metadata.BINARY_BYTE_MARSHALLER), Base64.getDecoder().decode(value));
    } else {
      metadata.put(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER), value);
    }
  }

  private static final class Unary extends ClientCall.Listener<byte[]> {
    final CompletableFuture<JsonObject> answer = new CompletableFuture<>();
    private final long beganNs = System.nanoTime();
    private byte[] body = new byte[0];

    @Override
    public void onMessage(byte[] message) {
      body = message;
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      JsonObject told = new JsonObject();
      told.addProperty("status", status.getCode().name());
      if (status.isOk()) {
        told.addProperty("body", new String(body, StandardCharsets.UTF_8));
      } else {
        told.addProperty("message", status.getDescription() + (status.getCause() == null ? "" : ": " + status.getCause()));
      }
      told.addProperty("ms", (System.nanoTime() - beganNs) / 1e6);
      JsonObject names = new JsonObject();
      for (String name : trailers.keys()) {
        // An answer that is none of gRPC's leaves its `:status` here, of which no key can be made.
        if (!name.startsWith(":") && !name.endsWith("-bin")) {
          Iterable<String> values = trailers.getAll(Metadata.Key.of(name, Metadata.ASCII_STRING_MARSHALLER));
          names.addProperty(name, String.join(",", values));
        }
      }
      told.add("trailers", names);
      answer.complete(told);
    }
  }
}
