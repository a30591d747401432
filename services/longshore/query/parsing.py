"""From a text to the tree of an expression, or to an error that says where and what would have been right."""

import functools
from collections.abc import Iterable, Sequence
from importlib import resources
from typing import Any, cast

import lark
from lark import exceptions, lexer

from longshore.query import syntax

MAX_LENGTH = 2000
"""Characters of an expression, ECS's limit."""

_TOLD = 8
"""Of the things that could have stood somewhere, so many are named."""

_NAMES = {
    "$END": "the end",
    "LPAR": "(",
    "RPAR": ")",
    "LSQB": "[",
    "RSQB": "]",
    "COMMA": ",",
    "_OR": "or",
    "_AND": "and",
    "_NOT": "not",
    "ATTRIBUTE": "attribute:NAME",
    "TASK_GROUP": "task:group",
    "NAME": "agentConnected",
    "LITERAL": "a value",
    "QUOTED": "'a value'",
    **{operator.name: operator.value for operator in syntax.Operator},
}


@functools.lru_cache(maxsize=4096)
def parse(text: str) -> syntax.Expression:
    """The expression's tree. Raises QueryError."""
    if len(text) > MAX_LENGTH:
        raise syntax.QueryError(f"the expression has {len(text)} characters, {MAX_LENGTH} are allowed", MAX_LENGTH + 1)
    if not text.strip():
        raise syntax.QueryError("the expression is empty", 1)
    try:
        tree: syntax.Expression = _parser().parse(text)  # type: ignore[assignment] # the transformer's result
    except exceptions.UnexpectedEOF as error:
        raise syntax.QueryError(
            f"the expression ends where {_expected(error.expected)} should follow", len(text) + 1
        ) from None
    except exceptions.UnexpectedToken as error:
        raise _unexpected(error, text) from None
    except exceptions.UnexpectedCharacters as error:
        place = cast("int", error.pos_in_stream)
        expected = _expected(error.allowed or ())
        raise syntax.QueryError(f"{text[place:][:20]!r} where {expected} should be", place + 1) from None
    except exceptions.VisitError as error:
        raise error.orig_exc from None
    return tree


def _unexpected(error: exceptions.UnexpectedToken, text: str) -> syntax.QueryError:
    expected = _expected(error.accepts or error.expected)
    if error.token.type == "$END":
        return syntax.QueryError(f"the expression ends where {expected} should follow", len(text) + 1)
    return syntax.QueryError(f"{str(error.token)!r} where {expected} should be", (error.token.start_pos or 0) + 1)


def _expected(names: Iterable[str]) -> str:
    words = sorted({_NAMES.get(name, name) for name in names})
    return " or ".join(words[:_TOLD]) if words else "nothing"


class _Builder(lark.Transformer[lexer.Token, syntax.Expression]):
    """Builds the tree while the text is parsed, so that no depth of brackets costs a call each."""

    def either(self, parts: list[syntax.Expression]) -> syntax.Expression:
        return parts[0] if len(parts) == 1 else syntax.Or(tuple(parts))

    def both(self, parts: list[syntax.Expression]) -> syntax.Expression:
        return parts[0] if len(parts) == 1 else syntax.And(tuple(parts))

    def negated(self, parts: list[syntax.Expression]) -> syntax.Expression:
        (part,) = parts
        return part.part if isinstance(part, syntax.Not) else syntax.Not(part)

    def subject(self, parts: list[lexer.Token]) -> tuple[syntax.Subject, str, int]:
        (token,) = parts
        column = (token.start_pos or 0) + 1
        if token.type == "ATTRIBUTE":
            return syntax.Subject.ATTRIBUTE, str(token).partition(":")[2], column
        try:
            subject = syntax.Subject(str(token))
        except ValueError:
            subject = syntax.Subject.ATTRIBUTE
        if subject is syntax.Subject.ATTRIBUTE:
            known = ", ".join(one.value for one in syntax.Subject if one is not syntax.Subject.ATTRIBUTE)
            raise syntax.QueryError(f"{str(token)!r} is no subject; there are {known} and attribute:NAME", column)
        return subject, "", column

    def choices(self, parts: list[lexer.Token]) -> list[lexer.Token]:
        return parts

    def compared(self, parts: list[Any]) -> syntax.Simple:
        return _simple(parts[0], parts[1], [parts[2]])

    def listed(self, parts: list[Any]) -> syntax.Simple:
        return _simple(parts[0], parts[1], parts[2])

    def present(self, parts: list[Any]) -> syntax.Simple:
        return _simple(parts[0], parts[1], [])


def _simple(
    subject: tuple[syntax.Subject, str, int], operator: lexer.Token, values: Sequence[lexer.Token]
) -> syntax.Simple:
    which, name, column = subject
    return syntax.Simple(which, name, syntax.Operator[operator.type], tuple(_word(value) for value in values), column)


def _word(token: lexer.Token) -> syntax.Word:
    text = str(token)
    return syntax.Word(text[1:-1] if token.type == "QUOTED" else text, (token.start_pos or 0) + 1)


@functools.lru_cache(maxsize=1)
def _parser() -> lark.Lark:
    grammar = resources.files("longshore.query").joinpath("grammar.lark").read_text("utf-8")
    return lark.Lark(grammar, parser="lalr", lexer="contextual", transformer=_Builder())
