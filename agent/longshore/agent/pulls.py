"""Whether an image is fetched before a container is made from it, and what a pull that failed has said. Pure; ECS's four behaviours."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum


class Behavior(StrEnum):
    """When images are pulled (ECS_IMAGE_PULL_BEHAVIOR)."""

    DEFAULT = "default"
    ALWAYS = "always"
    ONCE = "once"
    PREFER_CACHED = "prefer-cached"


@dataclass(frozen=True, slots=True)
class CachedImage:
    """What is known of an image that is on the host. `digest` is empty for one that came from no registry."""

    image_id: str
    digest: str
    reference: str = ""
    """What names exactly this image at the engine, whatever its tags are moved to; empty: its id."""
    foreign: bool = False
    """The digest is that of another repository: under the name that was asked for it came from none."""

    @property
    def pin(self) -> str:
        """What a container is made from."""
        return self.reference or self.image_id


@dataclass(frozen=True, slots=True)
class Limits:
    """What bounds pulls. Times in seconds."""

    concurrent: int = 10
    """Pulls at a time; others wait."""
    inactivity_s: float = 60.0
    """Silence of a pull after which it is given up (ECS_IMAGE_PULL_INACTIVITY_TIMEOUT)."""
    total_s: float = 2 * 3600.0
    """All tries of a pull together (ECS_IMAGE_PULL_TIMEOUT)."""

    @property
    def begin_s(self) -> float:
        """Silence before the first word, in which the engine talks with the registry: five minutes by default, as in ECS."""
        return 5 * self.inactivity_s


@dataclass(frozen=True, slots=True)
class Decision:
    """`pull`: fetch it. `fall_back`: if that fails, an older copy on the host will do."""

    pull: bool
    fall_back: bool


_USE = Decision(pull=False, fall_back=False)
TRIES = 5
FIRST_PAUSE_S = 1.1
LONGEST_PAUSE_S = 5.0
"""ECS's attempts to pull and the pauses between them."""
LONGEST_RETRY_AFTER_S = 300.0
"""A registry that wants to be left alone for longer is not waited for: the pull fails, in its words."""


def decide(behavior: Behavior, image: str, cached: CachedImage | None, *, pulled_before: bool) -> Decision:
    """What to do about `image`, given the copy on the host and whether this agent has ever pulled it successfully."""
    if cached is not None and not cached.digest:
        return _USE  # built or imported here: no registry has it
    if cached is not None and cached.foreign and behavior is not Behavior.ALWAYS:
        return _USE  # named here: that a copy of it lies in another repository as well makes this one no registry's
    if cached is not None and "@sha256:" in image and behavior is not Behavior.ALWAYS:
        return _USE  # the name is the content: the registry could only say the same
    match behavior:
        case Behavior.ALWAYS:
            return Decision(pull=True, fall_back=False)
        case Behavior.PREFER_CACHED:
            return _USE if cached is not None else Decision(pull=True, fall_back=False)
        case Behavior.ONCE:
            return _USE if cached is not None and pulled_before else Decision(pull=True, fall_back=False)
        case Behavior.DEFAULT:
            return Decision(pull=True, fall_back=cached is not None)


class Failure(StrEnum):
    """What was wrong, by the name under which ECS tells it."""

    PULL = "CannotPullContainerError"
    AUTH = "CannotPullContainerAuthError"
    MANIFEST = "CannotPullImageManifestError"


# Docker's words. "pull access denied" stands under ECS's general name: a registry says it of what is not there as well.
_AUTH = ("unauthorized", "authentication required", "no basic auth credentials", "incorrect username or password")
_MANIFEST = ("manifest unknown", "no matching manifest", "manifest for ")
_FINAL = (
    *_AUTH,
    *_MANIFEST,
    "not found",
    "does not exist",
    "pull access denied",
    "invalid reference format",
    "repository name must be",
)
_BUSY = ("toomanyrequests", "http 429 ", "status: 429 ")
# Some registries put their Retry-After into the message, with a unit of Go's durations or as seconds.
_RETRY_AFTER = re.compile(r"retry[- ]after:?\s*([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(ms|µs|us|ns|s|m)?", re.IGNORECASE)
_UNITS = {"": 1.0, "s": 1.0, "m": 60.0, "ms": 1e-3, "µs": 1e-6, "us": 1e-6, "ns": 1e-9}


def failure(message: str) -> Failure:
    """Under which name a pull that failed with this message is reported."""
    lowered = message.lower()
    if any(words in lowered for words in _MANIFEST):
        return Failure.MANIFEST
    return Failure.AUTH if any(words in lowered for words in _AUTH) else Failure.PULL


def is_final(message: str) -> bool:
    """Whether a pull that failed with this message would fail again."""
    lowered = message.lower()
    return not is_busy(message) and any(words in lowered for words in _FINAL)


def is_busy(message: str) -> bool:
    """Whether the registry has answered 429: it wants to be asked less often."""
    lowered = message.lower()
    return any(words in lowered for words in _BUSY)


def retry_after(message: str) -> float | None:
    """Seconds for which a message says that the registry wants to be left alone; None where it does not say."""
    found = _RETRY_AFTER.search(message)
    return float(found[1]) * _UNITS[found[2] or ""] if found else None


def in_full(image: str, registry: str) -> str:
    """An image of Docker Hub with everything that its short name leaves out: `busybox` is docker.io/library/busybox."""
    return f"{registry}/{image}" if "/" in image else f"{registry}/library/{image}"


def familiar(image: str) -> str:
    """A name as the engine lists it: without Docker Hub's own parts, and with the tag that is meant where none is said."""
    short = image
    for prefix in ("index.docker.io/", "docker.io/", "library/"):
        short = short.removeprefix(prefix)
    return f"{short}:latest" if "@" not in short and repository(short) == short else short


def repository(image: str) -> str:
    """Name of an image without its tag and digest, as the engine lists it among its digests."""
    name = image.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}"


def found(image: str, image_id: str, repo_digests: Sequence[str], digest: str = "") -> CachedImage:
    """An image as the engine lists it: its digest by the name it was asked for (`digest`: the one that is known to be meant).

    Where the name has none, another of its digests is told, and its id names it.
    """
    wanted = repository(image)
    for entry in repo_digests:
        name, _, listed = entry.partition("@")
        if digest in {"", listed} and (name == wanted or name.removeprefix("docker.io/library/") == wanted):
            return CachedImage(image_id, listed, entry)
    if not repo_digests:
        return CachedImage(image_id, "")
    return CachedImage(image_id, repo_digests[0].partition("@")[2], foreign=True)
