"""Forgetting client tokens that are more than a day old, a few at a time. Every scheduler does it; it decides nothing."""

import asyncio
import random as random_module

import structlog

from longshore.scheduler import tokens
from longshore.storage import errors
from longshore.storage.database import Database

_log = structlog.get_logger(__name__)

INTERVAL_S = 600.0
"""Mean pause between two prunings: the table holds a day and these ten minutes."""


async def run(database: Database, random: random_module.Random, *, interval_s: float = INTERVAL_S) -> None:
    """Prune for ever."""
    while True:
        await asyncio.sleep(random.uniform(0.5, 1.5) * interval_s)
        try:
            removed = tokens.PRUNED_AT_ONCE
            while removed >= tokens.PRUNED_AT_ONCE:
                removed = await database.run(tokens.prune)
        except errors.Unavailable as error:
            _log.warning("tokens_not_pruned", error=str(error))
