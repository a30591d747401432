// Written by scripts/clients from protos/longshore/rpc/errors.py; do not edit.
package io.longshore.client;

import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Collectors;

/** The name of an error, as ECS names it. */
public enum Reason {
  /** Overtaken by another: a newer session, epoch or revision. To be begun again from the start, not just repeated. */
  ABORTED("Aborted"),
  /** The caller may not do this. */
  ACCESS_DENIED_EXCEPTION("AccessDeniedException"),
  /** The resource would have more attributes than are allowed. */
  ATTRIBUTE_LIMIT_EXCEEDED_EXCEPTION("AttributeLimitExceededException"),
  /** The account is blocked. */
  BLOCKED_EXCEPTION("BlockedException"),
  /** The other side gave the call up. */
  CANCELLED("Cancelled"),
  /** The request cannot be carried out as it stands: a resource it names, or the definition it carries, is not usable. */
  CLIENT_EXCEPTION("ClientException"),
  /** The cluster still has capacity providers. */
  CLUSTER_CONTAINS_CAPACITY_PROVIDER_EXCEPTION("ClusterContainsCapacityProviderException"),
  /** The cluster still has container instances. */
  CLUSTER_CONTAINS_CONTAINER_INSTANCES_EXCEPTION("ClusterContainsContainerInstancesException"),
  /** The cluster still has services. */
  CLUSTER_CONTAINS_SERVICES_EXCEPTION("ClusterContainsServicesException"),
  /** The cluster still has tasks. */
  CLUSTER_CONTAINS_TASKS_EXCEPTION("ClusterContainsTasksException"),
  /** The cluster does not exist or is not ACTIVE. */
  CLUSTER_NOT_FOUND_EXCEPTION("ClusterNotFoundException"),
  /** A client token was used before, for a different request. */
  CONFLICT_EXCEPTION("ConflictException"),
  /** No answer in time. The call may have been carried out. */
  DEADLINE_EXCEEDED("DeadlineExceeded"),
  /** A parameter is not valid for this operation. */
  INVALID_PARAMETER_EXCEPTION("InvalidParameterException"),
  /** A limit of the account would be exceeded. */
  LIMIT_EXCEEDED_EXCEPTION("LimitExceededException"),
  /** The version of the agent on this instance is not known. */
  MISSING_VERSION_EXCEPTION("MissingVersionException"),
  /** The service-discovery namespace does not exist. */
  NAMESPACE_NOT_FOUND_EXCEPTION("NamespaceNotFoundException"),
  /** The agent runs the newest version. */
  NO_UPDATE_AVAILABLE_EXCEPTION("NoUpdateAvailableException"),
  /** A cursor points at what no longer exists. Its metadata names the oldest that does. */
  OUT_OF_RANGE("OutOfRange"),
  /** The platform version cannot run this task definition. */
  PLATFORM_TASK_DEFINITION_INCOMPATIBILITY_EXCEPTION("PlatformTaskDefinitionIncompatibilityException"),
  /** There is no such platform version. */
  PLATFORM_UNKNOWN_EXCEPTION("PlatformUnknownException"),
  /** A queue, a buffer or a message size is at its limit. */
  RESOURCE_EXHAUSTED("ResourceExhausted"),
  /** The resource is used by another and cannot be removed. */
  RESOURCE_IN_USE_EXCEPTION("ResourceInUseException"),
  /** The resource of an ARN does not exist. */
  RESOURCE_NOT_FOUND_EXCEPTION("ResourceNotFoundException"),
  /** A fault on our side. Its metadata names the `error_id` under which the component logged it. */
  SERVER_EXCEPTION("ServerException"),
  /** The service is not ACTIVE. */
  SERVICE_NOT_ACTIVE_EXCEPTION("ServiceNotActiveException"),
  /** The service does not exist in this cluster. */
  SERVICE_NOT_FOUND_EXCEPTION("ServiceNotFoundException"),
  /** The target's agent is not connected. */
  TARGET_NOT_CONNECTED_EXCEPTION("TargetNotConnectedException"),
  /** The target (a container instance, a task) does not exist in this cluster. */
  TARGET_NOT_FOUND_EXCEPTION("TargetNotFoundException"),
  /** The task set does not exist in this service. */
  TASK_SET_NOT_FOUND_EXCEPTION("TaskSetNotFoundException"),
  /** Too many calls; to be repeated later. */
  THROTTLING_EXCEPTION("ThrottlingException"),
  /** The credential is missing or wrong. */
  UNAUTHENTICATED("Unauthenticated"),
  /** Not now: a leader has changed, the database or a replica is away. May be repeated as it is. */
  UNAVAILABLE("Unavailable"),
  /** Longshore does not do this (also: the component has no such RPC). */
  UNSUPPORTED_FEATURE_EXCEPTION("UnsupportedFeatureException"),
  /** An update of the same resource is under way. */
  UPDATE_IN_PROGRESS_EXCEPTION("UpdateInProgressException");

  private static final Map<String, Reason> BY_TEXT =
      Arrays.stream(values()).collect(Collectors.toMap(Reason::toString, Function.identity()));

  private final String text;

  Reason(String text) {
    this.text = text;
  }

  /** The reason with a name as ECS spells it; empty where there is none. */
  public static Optional<Reason> of(String text) {
    return Optional.ofNullable(BY_TEXT.get(text));
  }

  /** The name as ECS spells it. */
  @Override
  public String toString() {
    return text;
  }
}
