"""Reading a spec's text: YAML (1.2 scalars, no tags, no code) to plain values, with the line and column of every key.

Everything that could make reading slow or ambiguous is refused: duplicate keys, tags, several documents, aliases that
multiply, deep nesting, large files. The nodes are built from parser events, so a limit ends the work when it is met.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from specs import scalars
from specs.errors import SpecError, SpecErrors, SpecPath, did_you_mean, dotted, one_line, shown

LARGEST_FILE = 1_000_000
MOST_NODES = 20_000
DEEPEST = 30

Position = tuple[int, int]

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_FORBIDDEN = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPEC_SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True)
class Document:
    """The plain values of a file, where each key stands, and the errors that reading found."""

    value: dict[str, Any]
    text: str
    positions: dict[SpecPath, Position]
    errors: tuple[SpecError, ...]


@dataclass(eq=False)
class _Node:
    """A parsed node; ``content`` is a scalar, a list of nodes or a list of (key node, value node)."""

    position: Position
    content: Any = None
    shape: str = "scalar"
    problem: str | None = None
    open: bool = True


class _Stop(Exception):
    """Reading cannot go on."""

    def __init__(self, message: str, position: Position = (1, 1)) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


def read(path: Path, file: str) -> Document:
    """Read a spec file; ``file`` is its name in messages. Raises SpecErrors where there is nothing to validate."""
    try:
        text = _text(path)
        return parse(text, file)
    except _Stop as stop:
        raise SpecErrors([SpecError(file, *stop.position, "", stop.message)]) from None


def parse(text: str, file: str) -> Document:
    """The document that a YAML text holds. Raises SpecErrors where the text is no mapping."""
    try:
        root = _compose(text)
        builder = _Builder(file)
        value = builder.build(root, ())
        if not isinstance(value, dict):
            raise _Stop(f"a spec is a block of keys, beginning with 'kind:' (got {shown(value)})", root.position)
    except _Stop as stop:
        raise SpecErrors([SpecError(file, *stop.position, "", stop.message)]) from None
    return Document(value, text, builder.positions, tuple(builder.errors))


def _text(path: Path) -> str:
    try:
        with path.open("rb") as opened:
            content = opened.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise _Stop(f"no such file{_near(path)}") from None
    except IsADirectoryError:
        raise _Stop("is a folder, not a spec file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise _Stop(f"cannot be read: {one_line(reason or str(error))}") from None
    if len(content) > LARGEST_FILE:
        raise _Stop(f"is larger than {LARGEST_FILE:,} bytes, too large for a spec")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8", "replace")
        raise _Stop(f"is not UTF-8 text (byte 0x{content[error.start]:02x})", _position_at_end(before)) from None


def _near(path: Path) -> str:
    try:
        siblings = [sibling.name for sibling in path.parent.iterdir() if sibling.suffix in _SPEC_SUFFIXES]
    except (OSError, ValueError):
        return f"; there is no folder '{one_line(str(path.parent))}' either"
    return did_you_mean(path.name, siblings)


def _position_at_end(text: str) -> Position:
    lines = text.split("\n")
    return len(lines), len(lines[-1]) + 1


def _compose(text: str) -> _Node:
    """The root node of the one document in a text."""
    forbidden = _FORBIDDEN.search(text)
    if forbidden:
        raise _Stop(f"the character U+{ord(forbidden.group()):04X} is not allowed in YAML", _position_at_end(text[: forbidden.start()]))
    composer = _Composer()
    try:
        for event in _events(text):
            composer.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _Stop(_syntax(error, text), (mark.line + 1, mark.column + 1) if mark else (1, 1)) from None
    except yaml.YAMLError as error:
        raise _Stop(f"not valid YAML: {one_line(str(error))}") from None
    if composer.root is None:
        raise _Stop("is empty; a spec is a block of keys, beginning with 'kind:'")
    return composer.root


def _events(text: str) -> Iterator[Any]:
    loader = _LOADER(text)
    try:
        while loader.check_event():
            yield loader.get_event()
    finally:
        loader.dispose()


def _syntax(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    lines = text.split("\n")
    line = lines[mark.line] if mark is not None and mark.line < len(lines) else ""
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "a tab cannot indent YAML; use spaces"
    problem = one_line(error.problem or "unreadable")
    context = f" {one_line(error.context)}" if error.context else ""
    hint = "; quote text that holds ': '" if "mapping values are not allowed" in problem else ""
    return f"not valid YAML: {problem}{context}{hint}"


@dataclass
class _Composer:
    """Builds nodes from parser events, within the limits."""

    root: _Node | None = None
    stack: list[_Node] = field(default_factory=list)
    anchors: dict[str, _Node] = field(default_factory=dict)
    count: int = 0

    def take(self, event: Any) -> None:
        mark = event.start_mark
        position = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        if isinstance(event, yaml.AliasEvent):
            self._alias(str(event.anchor), position)
        elif isinstance(event, yaml.ScalarEvent):
            node = _Node(position, open=False)
            try:
                node.content = scalars.plain(event.value) if event.implicit[0] else scalars.quoted(event.value)
            except ValueError as error:
                node.problem = f"{error} (got {shown(event.value)})"
            self._add(node, event)
        elif isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            node = _Node(position, [], "mapping" if isinstance(event, yaml.MappingStartEvent) else "list")
            self._add(node, event)
            self.stack.append(node)
            if len(self.stack) > DEEPEST:
                raise _Stop(f"is nested deeper than {DEEPEST} levels", position)
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            self.stack.pop().open = False
        elif isinstance(event, yaml.DocumentStartEvent) and self.root is not None:
            raise _Stop("holds a second document ('---'); write one study a file", position)

    def _alias(self, anchor: str, position: Position) -> None:
        target = self.anchors.get(anchor)
        if target is None:
            raise _Stop(f"no anchor '&{one_line(anchor, 60)}' stands before this alias{did_you_mean(anchor, self.anchors)}", position)
        if target.open:
            raise _Stop(f"the anchor '&{one_line(anchor, 60)}' refers to itself", position)
        self._place(_Node(position, target.content, target.shape, target.problem, open=False))

    def _add(self, node: _Node, event: Any) -> None:
        if event.tag is not None:
            node.problem = f"tags such as '{one_line(event.tag, 60)}' are not allowed"
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        self._place(node)

    def _place(self, node: _Node) -> None:
        self.count += 1
        if self.count > MOST_NODES:
            raise _Stop(f"holds more than {MOST_NODES:,} values", node.position)
        if not self.stack:
            self.root = node
            return
        parent = self.stack[-1]
        if parent.shape == "list":
            parent.content.append(node)
        elif parent.content and len(parent.content[-1]) == 1:
            parent.content[-1] = (parent.content[-1][0], node)
        else:
            parent.content.append((node,))


@dataclass
class _Builder:
    """Turns nodes into plain values, aliases written out, and notes where each path stands."""

    file: str
    positions: dict[SpecPath, Position] = field(default_factory=dict)
    errors: list[SpecError] = field(default_factory=list)
    count: int = 0

    def build(self, node: _Node, path: SpecPath) -> Any:
        self.count += 1
        if self.count > MOST_NODES:
            raise _Stop(f"holds more than {MOST_NODES:,} values once its aliases are written out", node.position)
        if len(path) > DEEPEST:
            raise _Stop(f"is nested deeper than {DEEPEST} levels", node.position)
        self.positions.setdefault(path, node.position)
        if node.problem is not None:
            self._refuse(node.position, path, node.problem)
        if node.shape == "scalar":
            return node.content
        if node.shape == "list":
            return [self.build(item, (*path, index)) for index, item in enumerate(node.content)]
        return self._mapping(node, path)

    def _mapping(self, node: _Node, path: SpecPath) -> dict[str, Any]:
        built: dict[str, Any] = {}
        for key_node, value_node in node.content:
            key = key_node.content
            if key_node.problem is not None:
                self._refuse(key_node.position, path, f"in a key: {key_node.problem}")
                continue
            if key_node.shape != "scalar" or not isinstance(key, str):
                self._refuse(key_node.position, path, f"a key must be text (got {shown(key)}); put it in quotes")
                continue
            if key == "<<":
                self._refuse(key_node.position, path, "merge keys ('<<') are not part of YAML 1.2; write the keys out")
                continue
            below = (*path, key)
            if key in built:
                self._refuse(key_node.position, below, f"duplicate key (first on line {self.positions[below][0]})")
                continue
            self.positions[below] = key_node.position
            built[key] = self.build(value_node, below)
        return built

    def _refuse(self, position: Position, path: SpecPath, message: str) -> None:
        self.errors.append(SpecError(self.file, *position, dotted(path), message))
