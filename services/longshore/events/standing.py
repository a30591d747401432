"""What a component stands on, as its health service tells it to whoever asks: the database, and the events where it has any."""

from longshore.events.bus import Bus
from longshore.rpc import server
from longshore.storage import errors, steps
from longshore.storage.database import Database


def of(database: Database, bus: Bus | None = None) -> server.Standing:
    """Looks at the database, and at the bus of a component that publishes or hears."""

    async def answers() -> bool:
        try:
            await database.read(lambda _: steps.fetch("SELECT 1 AS one"))
        except errors.Unavailable:
            return False
        return True

    found = {server.DATABASE: answers}
    return found if bus is None else {**found, server.EVENTS: bus.reachable}
