"""The model card: what a model is, how to use it, what its training guarantees and under which conditions. Never a text of the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tasks.models._guarantee import ABSENT, conditions, said, standing, words

if TYPE_CHECKING:
    from tasks.models.exporting import Contents, Origin

TEMPLATE = "card.md.jinja"
LONGEST, MOST_LABELS = 100, 300
PIPELINES = {
    "intent": "text-classification",
    "joint": "text-classification",
    "tagging": "token-classification",
    "qa": "question-answering",
    "seq2seq": "summarization",
    "lm": "text-generation",
    "mlm": "fill-mask",
}
TASKS = {
    "intent": "names what a text wants: one label per text",
    "joint": "names what a text wants, and the part each word plays: one label per text, one tag per word",
    "tagging": "names the part each word plays: one tag per word",
    "qa": "finds the answer to a question in a passage: where it begins and ends",
    "seq2seq": "writes a text for a text, such as its summary",
    "lm": "predicts the next token of a text",
    "mlm": "predicts hidden tokens of a text",
}
DATA = {
    "kind": "data set",
    "task": "task",
    "digest": "digest of the prepared data",
    "counts": "records by split",
    "public_size": "public number of members",
    "attack_holdout": "expected number held out for attacks",
    "population": "population",
    "private": "declared private",
}
SERIES = ("train/",)
"""Beginnings of the numbers that a training says of itself as it goes on: no results, and of its private records."""


@dataclass(frozen=True)
class Number:
    """A measured number with its bounds, as the card shows it."""

    name: str
    value: str
    low: str
    high: str


def card(contents: Contents, origin: Origin | None) -> str:
    """The card as Markdown with a YAML head. Without an origin it says that no record was asked."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=select_autoescape(),  # of HTML alone: in Markdown what is not ours stands in code spans
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(code=code, cell=cell)
    loaded = contents.loaded
    values: dict[str, Any] = {
        "front": _front(contents),
        "title": _title(contents, origin),
        "contents": contents,
        "origin": origin,
        "shape": loaded.shape,
        "does": TASKS.get(loaded.shape.task, loaded.shape.task),
        "kind": contents.settings["kind"],
        "settings": {name: words(value) for name, value in contents.settings.items() if name not in ("kind", "tokenizer") and said(value)},
        "tokenizer": _tokenizer(contents.settings["tokenizer"]),
        "most": MOST_LABELS,
        "reads": _reads(contents),
        "begin": _begin(contents),
        "adapted": contents.settings.get("adapter", {}).get("kind") == "lora",
        "standing": standing(contents.privacy),
        "guarantee": contents.privacy.get("guarantee"),
        "repeated": contents.privacy.get("repetition") is not None,
        "conditions": conditions(contents.privacy),
        "unit": dict(conditions(contents.privacy))["unit"],
        "absent": ABSENT,
        "numbers": numbers(origin.metrics if origin else {}),
        "data": {title: ABSENT if contents.data.get(name) is None else words(contents.data[name]) for name, title in DATA.items()},
        "made": _made(contents, origin),
    }
    return environment.get_template(TEMPLATE).render(values)


def code(value: object) -> str:
    """A value that is not ours as a code span on one line: nothing in it is markup."""
    flat = " ".join(str(value).replace("`", "'").split())
    shown = "".join(character if character.isprintable() else "?" for character in flat)
    return f"`{shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + '...'}`" if shown else "(empty)"


def cell(value: object) -> str:
    """The same inside a table."""
    return code(value).replace("|", "\\|")


def numbers(metrics: Mapping[str, float]) -> list[Number]:
    """Measured numbers with the bounds that were recorded beside them, sorted by name; the series of a training are none."""
    bounds = {name for name in metrics for end in ("_low", "_high") if name.endswith(end) and name.removesuffix(end) in metrics}
    measured = sorted(name for name in metrics if name not in bounds and not name.startswith(SERIES))
    return [Number(name, *(_digits(metrics.get(name + end)) for end in ("", "_low", "_high"))) for name in measured]


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"


def _front(contents: Contents) -> str:
    import yaml

    task = contents.loaded.shape.task
    private = ["differential-privacy"] if standing(contents.privacy) == "guarantee" else []
    front = {
        "license": "other",
        "license_name": "unknown",
        **({"library_name": "transformers"} if contents.in_transformers else {}),
        **({"pipeline_tag": PIPELINES[task]} if task in PIPELINES else {}),
        "tags": ["assay", contents.settings["kind"], *private],
    }
    return str(yaml.safe_dump(front, sort_keys=False, allow_unicode=True)).rstrip()


def _title(contents: Contents, origin: Origin | None) -> str:
    if origin is None or origin.study is None or origin.arm is None:
        return f"{contents.settings['kind']} for task {contents.loaded.shape.task}"
    return f"{origin.study}: {origin.arm}" + (f", seed {origin.seed}" if origin.seed is not None else "")


def _tokenizer(block: Mapping[str, Any]) -> dict[str, str]:
    """Kind and settings, and what its vocabulary was learnt from: ``nothing``, ``published`` or the kind of a corpus."""
    learnt = {"hashing": "nothing", "bytes": "nothing", "pretrained": "published"}.get(block["kind"])
    corpus = block.get("corpus")
    learnt = learnt or (str(corpus.get("kind")) if isinstance(corpus, Mapping) else "unknown")
    settings = {name: words(value) for name, value in block.items() if name not in ("kind", "corpus") and said(value)}
    return {"kind": block["kind"], "learnt": learnt, "settings": ", ".join(f"{name} {value}" for name, value in settings.items())}


def _reads(contents: Contents) -> str:
    """How the snippet turns text into ids: with transformers, in plain Python, or with Assay."""
    kind = str(contents.settings["tokenizer"]["kind"])
    if not contents.in_transformers or contents.loaded.shape.task in ("qa", "seq2seq"):
        return "assay"
    return "transformers" if contents.fast_tokenizer else kind if kind in ("hashing", "bytes") else "assay"


def _begin(contents: Contents) -> int | None:
    """The mark that every window of a language model with a fast tokenizer begins with."""
    return contents.loaded.encoder.windows("a")[0][0] if contents.fast_tokenizer and contents.loaded.shape.task == "lm" else None


def _made(contents: Contents, origin: Origin | None) -> list[tuple[str, str]]:
    """How the model came to be, each part recorded or said to be absent."""
    recorded: dict[str, str | None] = {
        "study": origin.study if origin else None,
        "arm": origin.arm if origin else None,
        "seed": origin.seed if origin else None,
        "MLflow run": origin.run if origin else None,
        "git commit": origin.git_commit if origin else None,
        "rules that mark its numbers": origin.labels if origin else None,
    }
    versions: dict[str, str | None] = {f"version of {name}": text for name, text in (origin.versions if origin else {}).items()}
    versions = versions or {"versions of libraries": None}
    machine = {f"trained with: {name}": words(value) for name, value in contents.environment.items() if value is not None}
    return [(name, ABSENT if value is None else value) for name, value in {**recorded, **versions, **machine}.items()]
