"""What the registry is told."""

from longshore.rpc import settings

DEFAULT_LISTEN = f"127.0.0.1:{settings.REGISTRY_PORT}"


@settings.config
class Config(settings.Component):
    """Serve clusters, task definitions and tags."""

    listen: str = settings.option(default=DEFAULT_LISTEN, help="host:port to serve on; port 0 takes a free one")
    deletion_interval_s: float = settings.option(
        default=60.0, help="pause between looks at revisions that wait for their last task to end", minimum=0.1
    )
