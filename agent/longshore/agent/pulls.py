"""Whether an image is fetched before a container is made from it. Pure; ECS's four behaviours."""

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


@dataclass(frozen=True, slots=True)
class Decision:
    """`pull`: fetch it. `fall_back`: if that fails, an older copy on the host will do."""

    pull: bool
    fall_back: bool


_USE = Decision(pull=False, fall_back=False)


def decide(behavior: Behavior, image: str, cached: CachedImage | None, *, pulled_before: bool) -> Decision:
    """What to do about `image`, given the copy on the host and whether this agent has ever pulled it successfully."""
    if cached is not None and not cached.digest:
        return _USE  # built or imported here: no registry has it
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


# Docker's words for a registry that has answered and will say the same again.
_FINAL = (
    "manifest unknown",
    "manifest for ",
    "not found",
    "does not exist",
    "pull access denied",
    "unauthorized",
    "authentication required",
    "no basic auth credentials",
    "invalid reference format",
    "no matching manifest",
    "repository name must be",
)


def is_final(message: str) -> bool:
    """Whether a pull that failed with this message would fail again."""
    lowered = message.lower()
    return any(words in lowered for words in _FINAL)


def in_full(image: str, registry: str) -> str:
    """An image of Docker Hub with everything that its short name leaves out: `busybox` is docker.io/library/busybox."""
    return f"{registry}/{image}" if "/" in image else f"{registry}/library/{image}"


def repository(image: str) -> str:
    """Name of an image without its tag and digest, as the engine lists it among its digests."""
    name = image.partition("@")[0]
    head, slash, tail = name.rpartition("/")
    return f"{head}{slash}{tail.partition(':')[0]}"


def digest_of(image: str, repo_digests: list[str]) -> str:
    """Digest (`sha256:…`) of the image by the name it was asked for; any other of its digests where that has none."""
    wanted = repository(image)
    for entry in repo_digests:
        name, _, digest = entry.partition("@")
        if name == wanted or name.removeprefix("docker.io/library/") == wanted:
            return digest
    return repo_digests[0].partition("@")[2] if repo_digests else ""
