"""`python -m longshore.gateway`: the gateway as a process of its own."""

import sys

from longshore.gateway import app
from longshore.gateway.config import Config
from longshore.metrics import exposition, loop_blocks
from longshore.process import alone
from longshore.rpc import server

NAME = "gateway"


async def run(config: Config, blocks: loop_blocks.LoopBlocks) -> None:
    """Serve until SIGTERM or SIGINT."""
    async with (
        exposition.of_component(config, blocks, process=NAME) as shown,
        app.serve(config, shown=shown) as serving,
    ):
        await server.until_signalled(serving)


def main() -> int:
    """Serve until asked to stop; the exit code."""
    return alone.main(Config, run, name=NAME)


if __name__ == "__main__":
    sys.exit(main())
