"""Taking over an instance that was registered before there was an agent: by a tool, with ECS's RegisterContainerInstance.

The operator names the instance and a file with the credential that its registration answered. Both count while the state folder is empty;
from then on the folder says who the agent is.
"""

from collections.abc import Iterator
from pathlib import Path

from longshore.agent import stored
from longshore.rpc import arns, errors

MAX_CREDENTIAL_BYTES = 4096
"""A credential has some 40 characters; whatever is longer is another file."""


class UnreadableCredential(Exception):  # noqa: N818 - named by what is wrong
    """The credential cannot be read. The message names the file."""


def faults(arn: str, credential_file: Path | None, cluster: str) -> Iterator[str]:
    """What is wrong with the two settings, one sentence each."""
    if bool(arn) != (credential_file is not None):
        yield "LONGSHORE_CONTAINER_INSTANCE_ARN and LONGSHORE_INSTANCE_CREDENTIAL_FILE go together: only one is set"
    if not arn:
        return
    try:
        named = arns.container_instance(arn)
    except errors.ServiceError as error:
        yield f"LONGSHORE_CONTAINER_INSTANCE_ARN is {arn!r}: {error.message}"
        return
    if named.cluster is None:
        yield f"LONGSHORE_CONTAINER_INSTANCE_ARN is {arn!r}: not an ARN that names the cluster"
    elif named.cluster != cluster:
        yield f"LONGSHORE_CONTAINER_INSTANCE_ARN is of cluster {named.cluster}, and LONGSHORE_CLUSTER is {cluster}"


def identity(arn: str, credential_file: Path) -> stored.Identity:
    """The identity that the operator gave. The settings have no faults."""
    named = arns.container_instance(arn)
    if named.cluster is None:
        raise ValueError(f"{arn!r} does not name its cluster")
    return stored.Identity(
        instance_id=named.name,
        instance_arn=arn,
        cluster=named.cluster,
        credential=_credential(credential_file),
    )


def _credential(path: Path) -> str:
    try:
        with path.open(encoding="ascii") as file:
            text = file.read(MAX_CREDENTIAL_BYTES + 1).strip()
    except (OSError, UnicodeDecodeError) as error:
        raise UnreadableCredential(f"the credential of the container instance cannot be read: {error}") from error
    if not text or len(text) > MAX_CREDENTIAL_BYTES or len(text.split()) != 1:
        raise UnreadableCredential(f"{path} does not hold a container instance's credential: one word is expected")
    return text
