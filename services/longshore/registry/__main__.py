"""`python -m longshore.registry`: the registry as a process of its own."""

import os
import sys

from longshore.events import memory_bus
from longshore.metrics import exposition, loop_blocks
from longshore.registry import app
from longshore.registry.config import Config
from longshore.rpc import logs, loops, server, settings, tls
from longshore.storage import database, errors

USAGE = 2
FAILED = 1

_EXPECTED = (errors.Unavailable, errors.SchemaMismatch, errors.StateInUse, server.BindError, tls.TlsError, ValueError)
"""What a person who starts the registry can put right; told in one line."""


async def run(config: Config, blocks: loop_blocks.LoopBlocks) -> None:
    """Open the database and serve until asked to stop."""
    opened = await database.open_database(config.database_url)
    try:
        # The registry publishes nothing and follows nothing: a bus of this process alone will do.
        async with (
            exposition.of_component(config, blocks, process="registry"),
            app.serve(config, database=opened, bus=memory_bus.MemoryBus()) as serving,
        ):
            await server.until_signalled(serving)
    finally:
        await opened.close()


def main() -> int:
    """Parse, set up logs, serve; the exit code."""
    try:
        config = settings.parse(Config, sys.argv[1:], os.environ, prog="longshore registry")
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    logs.configure(level=config.log_level, file=config.log_file)
    try:
        loop_blocks.run(lambda blocks: run(config, blocks))
    except _EXPECTED as error:
        sys.stderr.write(f"longshore registry: {error}\n")
        return FAILED
    except loops.LoopFailedError:
        return FAILED  # logged where it happened
    return 0


if __name__ == "__main__":
    sys.exit(main())
