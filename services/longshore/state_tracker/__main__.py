"""`python -m longshore.state_tracker`: the state-tracker as a process of its own."""

import os
import sys

from longshore.events import bus
from longshore.metrics import exposition, loop_blocks
from longshore.rpc import logs, loops, server, settings, tls
from longshore.state_tracker import app
from longshore.state_tracker.config import Config
from longshore.storage import database, errors

USAGE = 2
FAILED = 1

_EXPECTED = (errors.Unavailable, errors.SchemaMismatch, errors.StateInUse, server.BindError, tls.TlsError, ValueError)
"""What a person who starts the state-tracker can put right; told in one line."""


async def run(config: Config, blocks: loop_blocks.LoopBlocks) -> None:
    """Open database and bus, and serve until asked to stop."""
    opened = await database.open_database(config.database_url)
    try:
        events = await bus.open_bus(config.events_url)
        try:
            async with (
                exposition.of_component(config, blocks, process="state-tracker") as shown,
                app.serve(config, database=opened, bus=events, shown=shown) as serving,
            ):
                await server.until_signalled(serving)
        finally:
            await events.close()
    finally:
        await opened.close()


def main() -> int:
    """Parse, set up logs, serve; the exit code."""
    try:
        config = settings.parse(Config, sys.argv[1:], os.environ, prog="longshore state-tracker")
    except settings.SettingsError as error:
        sys.stderr.write(f"{error}\n")
        return USAGE
    logs.configure(level=config.log_level, file=config.log_file)
    try:
        loop_blocks.run(lambda blocks: run(config, blocks))
    except _EXPECTED as error:
        sys.stderr.write(f"longshore state-tracker: {error}\n")
        return FAILED
    except loops.LoopFailedError:
        return FAILED  # logged where it happened
    return 0


if __name__ == "__main__":
    sys.exit(main())
