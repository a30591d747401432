"""Whatever is sent to the gateway, it answers as ECS's clients understand, in bounded time and memory, and goes on."""

import contextlib

import pytest

from tests.fuzz import campaigns, complaints, exchanges, target, wires

# A campaign is bounded by its own answers' bounds.
pytestmark = pytest.mark.timeout(600)

VERIFIED = 8
"""One shot in so many goes to the gateway that verifies."""


async def test_no_request_breaks_the_gateway(
    plan: campaigns.Plan, stack: target.Target, heard: complaints.Complaints
) -> None:
    def mutant(number: int) -> wires.Mutant:
        return wires.mutant(plan.chance(number), stack.known, host=str(stack.gateway))

    def shooter(opened: contextlib.ExitStack) -> campaigns.Shoot:
        open_to_all, verifying = (
            opened.enter_context(contextlib.closing(exchanges.Connection(at.host, at.port)))
            for at in (stack.gateway, stack.verifying)
        )

        async def shoot(number: int) -> str | None:
            connection = verifying if number % VERIFIED == 0 else open_to_all
            try:
                for answer in await connection.ask(mutant(number)):
                    exchanges.judge(answer)
            except exchanges.Broken as broken:
                return str(broken)
            return None

        return shoot

    with contextlib.ExitStack() as opened:
        shooters = [shooter(opened) for _ in range(campaigns.AT_ONCE)]
        await campaigns.run(plan, stack, heard, shooters, lambda number: mutant(number).raw)
