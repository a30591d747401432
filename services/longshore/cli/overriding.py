"""How the options of `run` and `start` become ECS's overrides. Pure."""

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from longshore.client import running
from longshore.rpc import codec, errors
from longshore.v1 import task_pb2


@dataclass(frozen=True, slots=True)
class Wish:
    """What the options ask of every task of a run. Empty: nothing."""

    container: str = ""
    env: tuple[tuple[str, str], ...] = ()
    command: str = ""
    overrides: str = ""


def merged(containers: Sequence[str], wish: Wish) -> task_pb2.TaskOverride | None:
    """The overrides of a definition with these containers; None where none was wished. Raises ClientException.

    --env and --command are laid over what --overrides says.
    """
    result = task_pb2.TaskOverride()
    if wish.overrides:
        codec.from_json(result, wish.overrides)
    if wish.env or wish.command or wish.container:
        command = words(wish.command) if wish.command else ()
        running.lay_over(result, _chosen(containers, wish), dict(wish.env), command)
    return result if wish != Wish() else None


def words(command: str) -> list[str]:
    """The words of a command: a JSON list of strings as it is, anything else as a shell would split it."""
    if not command.lstrip().startswith("["):
        try:
            return shlex.split(command)
        except ValueError as error:
            raise errors.ClientException(f"--command cannot be split into words: {error}.") from error
    listed = codec.loads(command)
    if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
        raise errors.ClientException("--command as JSON is a list of strings.")
    return listed


def _chosen(containers: Sequence[str], wish: Wish) -> str:
    if not (wish.env or wish.command):
        raise errors.ClientException("--container says what --env and --command are for; neither is given.")
    if wish.container in containers:
        return wish.container
    if not wish.container and len(containers) == 1:
        return containers[0]
    raise errors.ClientException(f"--env and --command need --container, one of: {', '.join(containers)}.")
