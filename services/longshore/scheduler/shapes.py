"""What a request asks of an instance, as one value: the shape that everything which is kept per kind of request is kept under. Pure."""

import functools
from dataclasses import dataclass

from longshore.query import evaluation
from longshore.scheduler import requirements, strategies


@dataclass(frozen=True, slots=True, eq=False)
class Shape:
    """Needs, constraints and ranking of a request. One object per shape (`of`). `group`: whose tasks are looked at; empty: none's."""

    needs: requirements.Needs
    group: str
    distinct: bool
    constraints: tuple[evaluation.Query, ...]
    chain: tuple[strategies.Strategy, ...]
    """The links that rank; none where the choice is random."""
    static: tuple[str, ...]
    """The expressions that ask for the instance alone."""
    dynamic: tuple[evaluation.Query, ...]
    """The expressions that ask for its tasks too."""

    @property
    def once(self) -> bool:
        """Whether an instance takes one task of it and no second."""
        return self.distinct or bool(self.needs.ports)


@functools.lru_cache(maxsize=4096)
def of(
    needs: requirements.Needs,
    group: str,
    distinct: bool,  # noqa: FBT001 - a part of the key
    constraints: tuple[str, ...],
    chain: tuple[strategies.Strategy, ...],
) -> Shape:
    """The shape, always the same object for the same one, and for requests that differ in a group that nothing looks at."""
    links = strategies.effective(chain)
    counts = distinct or any(not link.packed for link in links)
    return _of(needs, group if counts else "", distinct, tuple(dict.fromkeys(constraints)), links)


@functools.lru_cache(maxsize=4096)
def _of(
    needs: requirements.Needs,
    group: str,
    distinct: bool,  # noqa: FBT001 - a part of the key
    constraints: tuple[str, ...],
    chain: tuple[strategies.Strategy, ...],
) -> Shape:
    queries = tuple(evaluation.compiled(text) for text in constraints)
    return Shape(
        needs,
        group,
        distinct,
        queries,
        chain,
        static=tuple(query.text for query in queries if not query.dynamic),
        dynamic=tuple(query for query in queries if query.dynamic),
    )
