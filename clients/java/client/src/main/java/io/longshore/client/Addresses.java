package io.longshore.client;

import java.util.Arrays;
import java.util.List;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

/**
 * Where the components are: host:port of each, one or more replicas.
 *
 * @param registry of the registry
 * @param scheduler of the scheduler
 * @param stateTracker of the state-tracker
 */
public record Addresses(List<String> registry, List<String> scheduler, List<String> stateTracker) {
  private static final Pattern HOST_AND_PORT = Pattern.compile("(?:\\[[^\\]]+\\]|[^:\\[\\]]+):(\\d{1,5})");
  private static final int LARGEST_PORT = 65_535;

  /** Throws IllegalArgumentException for what is no address. */
  public Addresses {
    registry = checked("registry", registry);
    scheduler = checked("scheduler", scheduler);
    stateTracker = checked("state-tracker", stateTracker);
  }

  /** The components at their usual ports on a host. */
  public static Addresses of(String server) {
    return resolve(server, name -> null);
  }

  /** What the variables LONGSHORE_SERVER, LONGSHORE_REGISTRY, LONGSHORE_SCHEDULER and LONGSHORE_STATE_TRACKER say. */
  public static Addresses ofEnvironment() {
    return resolve(System.getenv("LONGSHORE_SERVER"), System::getenv);
  }

  static Addresses resolve(String server, UnaryOperator<String> environment) {
    String host = server == null || server.isEmpty() ? "127.0.0.1" : server;
    String bare = host.startsWith("[") && host.endsWith("]") ? host.substring(1, host.length() - 1) : host;
    boolean isName = bare.chars().noneMatch(each -> " ,/".indexOf(each) >= 0);
    boolean isAddress = bare.indexOf(':') < 0 || bare.indexOf(':') != bare.lastIndexOf(':');
    if (!isName || !isAddress) {
      throw new IllegalArgumentException("The server is '" + host + "': a host without port is meant; the ports are fixed.");
    }
    return new Addresses(
        component(bare, environment.apply("LONGSHORE_REGISTRY"), 8701),
        component(bare, environment.apply("LONGSHORE_SCHEDULER"), 8702),
        component(bare, environment.apply("LONGSHORE_STATE_TRACKER"), 8703));
  }

  private static List<String> component(String host, String listed, int port) {
    String list = listed == null ? "" : listed.replaceAll("^[, ]+|[, ]+$", "");
    if (!list.isEmpty()) {
      return Arrays.asList(list.split(","));
    }
    return List.of((host.contains(":") ? "[" + host + "]" : host) + ":" + port);
  }

  private static List<String> checked(String component, List<String> given) {
    List<String> found = given.stream().map(String::strip).toList();
    if (found.isEmpty()) {
      throw new IllegalArgumentException("No address of the " + component + " is given.");
    }
    for (String address : found) {
      var matcher = HOST_AND_PORT.matcher(address);
      if (!matcher.matches() || Integer.parseInt(matcher.group(1)) > LARGEST_PORT) {
        throw new IllegalArgumentException("The address of the " + component + " is '" + address + "': host:port is meant.");
      }
    }
    return found;
  }
}
