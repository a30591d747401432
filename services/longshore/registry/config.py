"""What the registry is told."""

from collections.abc import Iterable
from pathlib import Path

from longshore.rpc import settings

DEFAULT_LISTEN = f"127.0.0.1:{settings.REGISTRY_PORT}"


@settings.config
class Config(settings.Component):
    """Serve clusters, task definitions, tags, settings and access keys."""

    listen: str = settings.option(default=DEFAULT_LISTEN, help="host:port to serve on; port 0 takes a free one")
    deletion_interval_s: float = settings.option(
        default=60.0, help="pause between looks at revisions that wait for their last task to end", minimum=0.1
    )
    seal_key_file: Path | None = settings.option(
        default=None,
        help="file of the key that access keys' secrets are sealed under, the same for every registry; `longshore seal-key FILE` makes one",
    )
    make_seal_key: bool = settings.option(
        default=False, help="make that file with the first access key: for a registry that has no other beside it"
    )

    def faults(self) -> Iterable[str]:
        """A deployment of many registries without the seal key that they share, and one that shall make a file without a name."""
        yield from settings.Component.faults(self)
        if self.seal_key_file is not None:
            return
        name, flag = settings.variable("seal_key_file"), settings.flag("seal_key_file")
        if self.database_url.startswith("postgres"):
            yield (
                f"{name} (or {flag}) is required with PostgreSQL: the file of the key that access keys' secrets are sealed under,"
                " the same for every registry. Make one with `longshore seal-key FILE`."
            )
        elif self.make_seal_key:
            yield f"{settings.variable('make_seal_key')} needs {name} (or {flag}): the file to make"
