// Written by scripts/clients from protos/longshore/rpc/errors.py; do not edit.

/** The name of an error, as ECS names it. */
export type Reason =
  /** Overtaken by another: a newer session, epoch or revision. To be begun again from the start, not just repeated. */
  | "Aborted"
  /** The caller may not do this. */
  | "AccessDeniedException"
  /** The resource would have more attributes than are allowed. */
  | "AttributeLimitExceededException"
  /** The account is blocked. */
  | "BlockedException"
  /** The other side gave the call up. */
  | "Cancelled"
  /** The request cannot be carried out as it stands: a resource it names, or the definition it carries, is not usable. */
  | "ClientException"
  /** The cluster still has capacity providers. */
  | "ClusterContainsCapacityProviderException"
  /** The cluster still has container instances. */
  | "ClusterContainsContainerInstancesException"
  /** The cluster still has services. */
  | "ClusterContainsServicesException"
  /** The cluster still has tasks. */
  | "ClusterContainsTasksException"
  /** The cluster does not exist or is not ACTIVE. */
  | "ClusterNotFoundException"
  /** A client token was used before, for a different request. */
  | "ConflictException"
  /** No answer in time. The call may have been carried out. */
  | "DeadlineExceeded"
  /** A parameter is not valid for this operation. */
  | "InvalidParameterException"
  /** A limit of the account would be exceeded. */
  | "LimitExceededException"
  /** The version of the agent on this instance is not known. */
  | "MissingVersionException"
  /** The service-discovery namespace does not exist. */
  | "NamespaceNotFoundException"
  /** The agent runs the newest version. */
  | "NoUpdateAvailableException"
  /** A cursor points at what no longer exists. Its metadata names the oldest that does. */
  | "OutOfRange"
  /** The platform version cannot run this task definition. */
  | "PlatformTaskDefinitionIncompatibilityException"
  /** There is no such platform version. */
  | "PlatformUnknownException"
  /** A queue, a buffer or a message size is at its limit. */
  | "ResourceExhausted"
  /** The resource is used by another and cannot be removed. */
  | "ResourceInUseException"
  /** The resource of an ARN does not exist. */
  | "ResourceNotFoundException"
  /** A fault on our side. Its metadata names the `error_id` under which the component logged it. */
  | "ServerException"
  /** The service is not ACTIVE. */
  | "ServiceNotActiveException"
  /** The service does not exist in this cluster. */
  | "ServiceNotFoundException"
  /** The target's agent is not connected. */
  | "TargetNotConnectedException"
  /** The target (a container instance, a task) does not exist in this cluster. */
  | "TargetNotFoundException"
  /** The task set does not exist in this service. */
  | "TaskSetNotFoundException"
  /** Too many calls; to be repeated later. */
  | "ThrottlingException"
  /** The credential is missing or wrong. */
  | "Unauthenticated"
  /** Not now: a leader has changed, the database or a replica is away. May be repeated as it is. */
  | "Unavailable"
  /** Longshore does not do this (also: the component has no such RPC). */
  | "UnsupportedFeatureException"
  /** An update of the same resource is under way. */
  | "UpdateInProgressException";
