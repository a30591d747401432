import { isIPv6 } from "node:net";

/** Where the components are: host:port of each, one or more replicas. */
export interface Addresses {
  registry: readonly string[];
  scheduler: readonly string[];
  stateTracker: readonly string[];
}

/** What a client was told is not an address. */
export class AddressError extends Error {
  override name = "AddressError";
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Find the components: the server with the usual ports, each overridden by a variable of its own. A server that is given as an
 * argument beats all variables.
 */
export function resolve(server: string | undefined, environment: Environment): Addresses {
  const variables = server ? {} : environment;
  const host = server || variables["LONGSHORE_SERVER"] || "127.0.0.1";
  const bare = host.replace(/^\[(.*)\]$/, "$1");
  if (/[ ,/]/.test(bare) || (bare.includes(":") && !isIPv6(bare))) {
    throw new AddressError(`The server is '${host}': a host without port is meant; the ports are fixed.`);
  }
  const component = (variable: string, port: number): string[] => {
    const listed = (variables[variable] ?? "").replace(/^[, ]+|[, ]+$/g, "");
    if (listed) {
      return listed.split(",");
    }
    return [bare.includes(":") ? `[${bare}]:${port}` : `${bare}:${port}`];
  };
  return checked({
    registry: component("LONGSHORE_REGISTRY", 8701),
    scheduler: component("LONGSHORE_SCHEDULER", 8702),
    stateTracker: component("LONGSHORE_STATE_TRACKER", 8703),
  });
}

/** The addresses without blanks. Throws AddressError for what is none. */
export function checked(addresses: Addresses): Addresses {
  const tidy = (component: string, given: readonly string[]): string[] => {
    if (given.length === 0) {
      throw new AddressError(`No address of the ${component} is given.`);
    }
    return given.map((address) => {
      const text = address.trim();
      const [, port] = /^(?:\[[^\]]+\]|[^:]+):(\d{1,5})$/.exec(text) ?? [];
      if (port === undefined || Number(port) > 65535) {
        throw new AddressError(`The address of the ${component} is '${text}': host:port is meant.`);
      }
      return text;
    });
  };
  return {
    registry: tidy("registry", addresses.registry),
    scheduler: tidy("scheduler", addresses.scheduler),
    stateTracker: tidy("state-tracker", addresses.stateTracker),
  };
}
