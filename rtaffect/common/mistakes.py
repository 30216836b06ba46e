"""What is wrong with settings, plans, protocols and manifests that pydantic has read, in words of our own.

Every model of rtaffect tells it through here: which field, what it is, what was expected.
"""

from __future__ import annotations

import difflib
import reprlib
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

#: So many names of fields are listed.
_NAMED: Final = 24
_EXPECTED: Final = {
    "int": "a whole number",
    "float": "a number",
    "finite": "a finite number",
    "bool": "true or false",
    "string": "a text",
    "path": "a path as text",
    "tuple": "a list",
    "list": "a list",
    "dict": "a table",
    "model": "a table",
    "dataclass": "a table",
    "mapping": "a table",
    "datetime": "a time with its zone, as 2026-03-01T10:00:00+00:00",
    "timezone": "a time with its zone, as 2026-03-01T10:00:00+00:00",
}
_PATTERNS: Final = {
    "^[A-Za-z0-9]+$": "letters and digits",
    "^[A-Za-z0-9_-]+$": "letters, digits, - and _",
    "^[a-z0-9_]+$": "small letters, digits and _",
    "^[0-9a-f]{64}$": "64 hexadecimal digits",
    r"^[^\x00-\x1f\x7f]+$": "one line of text",
}
_LIMITS: Final = {"ge": "from", "gt": "above", "le": "at most", "lt": "below"}
#: Kinds of mistake that are of a number.
_OF_NUMBERS: Final = frozenset({"int", "float", "finite", "greater", "less"})


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong.

    Attributes
    ----------
    path
        Which field, as its names and, in a list, the number from 0; () where all of it does not fit together.
    wrong
        In words: what was expected, or what does not go together; of a validator of ours several lines.
    given
        The value, as it is shown.
    about
        Whether ``wrong`` is about the field's value, so that this must stand with it; about the field as such, or a
        rule, which names itself what it is about.
    """

    path: tuple[int | str, ...]
    wrong: str
    given: str
    about: Literal["value", "field", "rule"]

    @property
    def where(self) -> str:
        """The field in words: ``signal.mains_hz``, ``match 2: rates 1``."""
        text, before = "", cast(int | str, "")
        for part in self.path:
            if isinstance(part, int):
                text += f" {part + 1}"
            else:
                text += ("" if not text else ": " if isinstance(before, int) else ".") + part
            before = part
        return text.strip()

    def line(self, where: str) -> str:
        """Return it in one line, of a field that is called ``where``."""
        if self.about == "value":
            return f"{where} = {self.given}: {self.wrong}"
        return (" " if self.about == "field" else ": ").join(filter(None, (where, self.wrong)))


def mistakes(error: ValidationError, kind: type[Any]) -> list[Mistake]:
    """Return all that is wrong with what was to be a ``kind``, a model or dataclass; one line for each value."""
    found: dict[tuple[int | str, ...], Mistake] = {}
    for detail in error.errors():
        path, annotation, model = _walked(kind, detail["loc"])
        each = _mistake(detail, path, annotation, model)
        before = found.get(path)
        if before is None:
            found[path] = each
        elif before.about == each.about == "value" and each.wrong not in before.wrong:
            found[path] = replace(before, wrong=f"{before.wrong}, or {each.wrong.removeprefix('expected ')}")
        elif before.about == each.about == "rule" and each.wrong != before.wrong:
            found[path] = replace(before, wrong=f"{before.wrong}\n{each.wrong}")
    # A list whose parts are wrong is too short for pydantic without them.
    return [each for each in found.values() if each.about != "value" or not _has_parts(each.path, found)]


def _has_parts(path: tuple[int | str, ...], found: Iterable[tuple[int | str, ...]]) -> bool:
    return any(len(other) > len(path) and other[: len(path)] == path for other in found)


def problems(error: ValidationError, kind: type[Any]) -> list[str]:
    """Return all that is wrong with what was to be a ``kind``, one line each."""
    return [_joined(each.line(each.where)) for each in mistakes(error, kind)]


def first_problem(error: ValidationError, kind: type[Any]) -> str:
    """Return the first thing that is wrong with what was to be a ``kind``, in one line."""
    return problems(error, kind)[0]


def shown(value: object) -> str:
    """Return a value as a message quotes it, cut where it is long."""
    if isinstance(value, bool):
        return str(value).lower()
    return _REPR.repr(str(value) if isinstance(value, Path) else value)


def _quoter() -> reprlib.Repr:
    made = reprlib.Repr()
    made.maxstring = made.maxother = 100
    return made


_REPR: Final = _quoter()


def _joined(text: str) -> str:
    return "; ".join(text.splitlines())


def _mistake(detail: ErrorDetails, path: tuple[int | str, ...], annotation: Any, model: Any) -> Mistake:
    kind, given = detail["type"], shown(detail["input"])
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return Mistake(path[:-1], _unknown(str(path[-1]), model), given, "rule")
    if kind == "missing":
        return Mistake(path, "is missing: add it", given, "field")
    if kind in ("value_error", "assertion_error"):
        return Mistake(path, str(detail["ctx"]["error"]), given, "rule")
    if kind == "json_invalid":
        return Mistake(path, f"it is no JSON ({detail['ctx']['error']})", given, "rule")
    return Mistake(path, f"expected {_expected(detail, annotation)}", given, "value" if path else "rule")


def _unknown(name: str, model: type[Any]) -> str:
    """Return what is said of a field that a model does not have."""
    known = list(_fields(model))
    near = difflib.get_close_matches(name, known, n=3) or [each for each in known if name and each.startswith(name)][:3]
    more = [f"{len(known) - _NAMED} more"] if len(known) > _NAMED else []
    said = f"did you mean {' or '.join(near)}?" if near else f"expected one of {', '.join([*known[:_NAMED], *more])}"
    return f"there is no field {name[:100]!r}; {said}"


def _expected(detail: ErrorDetails, annotation: Any) -> str:
    """Return what a value of that kind has to be."""
    kind, about = detail["type"], detail.get("ctx", {})
    if kind == "literal_error":
        return str(about["expected"])
    if kind == "string_pattern_mismatch":
        return _PATTERNS.get(about["pattern"], f"a text like {about['pattern']}")
    if kind in ("too_short", "too_long", "string_too_short", "string_too_long"):
        return _length(kind, about)
    kind = kind.partition("_")[0]
    if kind in _OF_NUMBERS:
        return _number(kind, annotation, about)
    # What pydantic may yet find wrong, in its own words rather than none.
    return _EXPECTED.get(kind) or detail["msg"][0].lower() + detail["msg"][1:]


def _length(kind: str, about: Mapping[str, Any]) -> str:
    short, letters = kind.endswith("short"), kind.startswith("string")
    count = about["min_length" if short else "max_length"]
    if letters and short and count == 1:
        return "a text that is not empty"
    what = "letters" if letters else "of them"
    return f"at least {count} {what}" if short else f"at most {count} {what}, not {about.get('actual_length', 'more')}"


def _number(kind: str, annotation: Any, about: Mapping[str, Any]) -> str:
    """Return which number is expected, with all its limits, of the field or else of the mistake."""
    plain, limits = _unwrapped(annotation)
    limits = limits or dict(about)
    what = _EXPECTED["int" if plain is int or kind == "int" else "float"]
    said = {name: f"{word} {limits[name]:.9g}" for name, word in _LIMITS.items() if name in limits}
    if not said:
        return _EXPECTED["finite"] if kind == "finite" else what
    if set(said) == {"ge", "le"}:
        return f"{what} {said['ge']} to {limits['le']:.9g}"
    return f"{what} {'of ' if set(said) == {'le'} else ''}{' and '.join(said.values())}"


def _unwrapped(annotation: Any) -> tuple[Any, dict[str, Any]]:
    """Return the type of an annotation without None, and the limits of its numbers."""
    limits: dict[str, Any] = {}
    while True:
        if isinstance(annotation, FieldInfo):
            limits |= _limits(annotation.metadata)
            annotation = annotation.annotation
        elif get_origin(annotation) is Annotated:
            annotation, *metadata = get_args(annotation)
            limits |= _limits(metadata)
        elif get_origin(annotation) in (Union, types.UnionType) and len(members := _members(annotation)) == 1:
            annotation = members[0]
        else:
            return annotation, limits


def _limits(metadata: Sequence[Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for each in metadata:
        for part in (*each.metadata,) if isinstance(each, FieldInfo) else (each,):
            found |= {name: getattr(part, name) for name in ("ge", "gt", "le", "lt") if hasattr(part, name)}
    return {name: value for name, value in found.items() if value is not None}


def _members(union: Any) -> list[Any]:
    return [each for each in get_args(union) if each is not type(None)]


def _walked(kind: type[Any], loc: Sequence[int | str]) -> tuple[tuple[int | str, ...], Any, type[Any]]:
    """Return which field is meant, without pydantic's words for the member of a union; its annotation; its model."""
    path: list[int | str] = []
    annotation: Any = kind
    model = kind
    for part in loc:
        plain, _ = _unwrapped(annotation)
        if _has_fields(plain):
            model = plain
            path.append(part)
            annotation = _fields(plain).get(str(part), Any)
        elif get_origin(plain) in (Union, types.UnionType):
            annotation = next((each for each in _members(plain) if _named(each) == str(part)), annotation)
        elif part == "[key]":
            continue
        else:
            path.append(part)
            annotation = next(iter(_parts(plain, part)), Any)
    return tuple(path), annotation, model


def _has_fields(kind: Any) -> bool:
    return isinstance(kind, type) and (issubclass(kind, BaseModel) or is_dataclass(kind))


def _fields(model: type[Any]) -> dict[str, Any]:
    """Return what the fields of a model or dataclass are, by the names under which they are given."""
    if issubclass(model, BaseModel):
        return {info.alias or name: info for name, info in model.model_fields.items()}
    return {each.name: Any for each in fields(model)}


def _named(member: Any) -> str:
    plain, _ = _unwrapped(member)
    return (
        plain.__name__ if isinstance(plain, type) and get_origin(plain) is None else str(plain).replace("typing.", "")
    )


def _parts(annotation: Any, at: int | str) -> Iterator[Any]:
    """Yield what the parts of a list or table are."""
    arguments = get_args(annotation)
    if get_origin(annotation) is dict and len(arguments) == 2:
        yield arguments[1]
    elif arguments and isinstance(at, int):
        yield arguments[0] if len(arguments) == 2 and arguments[1] is ... else arguments[min(at, len(arguments) - 1)]
