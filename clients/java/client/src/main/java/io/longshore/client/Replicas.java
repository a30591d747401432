package io.longshore.client;

import io.grpc.Attributes;
import io.grpc.EquivalentAddressGroup;
import io.grpc.NameResolver;
import io.grpc.NameResolverProvider;
import io.grpc.Status;
import io.grpc.StatusOr;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.SocketAddress;
import java.net.URI;
import java.net.URISyntaxException;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;

/**
 * The addresses of a component's replicas, for one channel: it uses one of them, the same as long as it is connected. Names are
 * resolved anew when it is not, and each replica's certificate is checked against its own name.
 */
public final class Replicas extends NameResolver {
  private static final String SCHEME = "longshore";

  private final List<String> addresses;
  private Listener2 listener;

  private Replicas(List<String> addresses) {
    this.addresses = addresses;
  }

  /** The target of a channel to these replicas. */
  static String target(List<String> replicas) {
    List<String> shuffled = new ArrayList<>(replicas); // so that many clients spread over them
    Collections.shuffle(shuffled);
    try {
      return new URI(SCHEME, "", "/" + String.join(",", shuffled), null).toString();
    } catch (URISyntaxException impossible) {
      throw new IllegalStateException(impossible); // the constructor quotes what is illegal
    }
  }

  /** How gRPC finds this class; named in META-INF/services. */
  public static final class Provider extends NameResolverProvider {
    private static final int USUAL_PRIORITY = 5;

    @Override
    protected boolean isAvailable() {
      return true;
    }

    @Override
    protected int priority() {
      return USUAL_PRIORITY;
    }

    @Override
    public String getDefaultScheme() {
      return SCHEME;
    }

    @Override
    public NameResolver newNameResolver(URI target, NameResolver.Args args) {
      return SCHEME.equals(target.getScheme()) ? new Replicas(List.of(target.getPath().substring(1).split(","))) : null;
    }
  }

  @Override
  public String getServiceAuthority() {
    return addresses.get(0);
  }

  @Override
  public void start(Listener2 listener) {
    this.listener = listener;
    refresh();
  }

  @Override
  public void refresh() {
    List<EquivalentAddressGroup> found = new ArrayList<>();
    UnknownHostException unknown = null;
    for (String address : addresses) {
      int colon = address.lastIndexOf(':');
      String host = address.substring(0, colon).replaceAll("^\\[|\\]$", "");
      int port = Integer.parseInt(address.substring(colon + 1));
      Attributes own = Attributes.newBuilder().set(EquivalentAddressGroup.ATTR_AUTHORITY_OVERRIDE, address).build();
      try {
        List<SocketAddress> resolved =
            Arrays.stream(InetAddress.getAllByName(host)).<SocketAddress>map(each -> new InetSocketAddress(each, port)).toList();
        found.add(new EquivalentAddressGroup(resolved, own));
      } catch (UnknownHostException failed) {
        unknown = failed;
      }
    }
    if (found.isEmpty()) {
      listener.onError(Status.UNAVAILABLE.withDescription("None of " + addresses + " can be resolved").withCause(unknown));
    } else {
      listener.onResult(ResolutionResult.newBuilder().setAddressesOrError(StatusOr.fromValue(found)).build());
    }
  }

  @Override
  public void shutdown() {
    // nothing is held
  }
}
