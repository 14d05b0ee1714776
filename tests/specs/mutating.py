"""Small random damage to a spec: to its bytes, to its text as a person may mistype it, and to its plain values."""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]

RICH = """\
kind: dp-training
name: rich
version: 2
question: "Is it so?"
data: &data {kind: files, train: t.csv, test: 0.5, task: intent, columns: {text: utterance, label: intent, user: uid}, public_size: 1000, attack_holdout: 100}
model:
  kind: pretrained
  source: some/model
  adapter: {kind: lora, rank: 4}
training: {epochs: 2, schedule: {kind: cosine, warmup: 0.1}, early_stopping: {metric: loss, patience: 2}, max_gradient_norm: 1.0}
utility: [{kind: accuracy}, {kind: accuracy, label: second, minimum_items: 5}, {kind: loss}]
sweep:
  seeds: [0, 1]
  baseline: plain
  arms:
    plain: {}
    long: {training.epochs: 9, training: {optimizer: {kind: adamw}}}
    recurrent: {model: {kind: bilstm}, model.tokenizer.buckets: 64}
    learnt: {model: {kind: bilstm, tokenizer: {kind: trained, vocabulary: 500, corpus: *data}}}
    recorded: {model: {kind: mlflow, name: assistant, alias: champion}}
  grid:
    training.expected_batch_size: [8, 16]
    data.limit: [10, null]
gates: [{metric: utility/accuracy, at_least: 0.1, arms: [plain, long], of: mean}]
claims:
  - {id: one, says: so, metric: utility/accuracy, arm: long, versus: plain, not_worse_by: 0.1}
  - {id: two, says: so, metric: utility/loss, arm: [long, plain], versus: [recurrent, plain], better: true}
  - {id: three, says: so, metric: utility/second, arm: plain, at_least: 0.1}
execution: {device: cpu, processes: 2, physical_batch_size: 16, log_models: best}
"""

MODEL = """\
kind: dp-training
name: words
data: {kind: synthetic-assistant, task: lm}
model: {kind: gpt2, layers: 1, tokenizer: {kind: bytes, max_tokens: 64}}
"""

LONG = "k" * 300
SNIPPETS = (
    *("\t", "\n", " ", ":", ": ", "- ", "{", "}", "[", "]", ",", "'", '"', "#", "|\n", ">\n", "%", "@", "`", "? ", "&a ", "*a ", "*data", "!!str ", "<<: "),
    *("!!python/object/apply:os.system [ls]", "---\n", "...\n", "\0", "\x1b[2J", "\x7f", "\x85", "\u2028", "\ufeff", "\ufffe", "\U0001f642", "é"),
    *("1e999", "-1", ".nan", "null", "~", "0x", "9" * 50, "{kind: none}", "kind: ", "sweep.", "a.b", "no", LONG, '"\\ud800"', '"\\x00"'),
)
KEYS = ("kind", "name", "data", "model", "sweep", "arms", "grid", "metric", "arm", "", "a.b", "data.kind", "training.epochs", "\n", LONG, "[key]", "é")


def _deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {LONG: value}
    return value


VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 0.5, 2**62, 2**63, 10**40, 1e308, 5e-324, float("nan"), float("inf")),
    *("", " ", "x", "x" * 5000, "a\nb", "\0", "\x1b[31m", "\u2028", "\ud800", "\ufeff", "kind", "none", "auto", "main", "plain", "1e-3", "cuda:0", "cuda:x"),
    *("/", "/etc", "~nobody/x", "../t.csv", "t.csv", "t.txt", "bad.jsonl", "a" * 300 + ".csv", "a/b/c", "${HOME}", "[x]"),
    *([], {}, [[]], [{}], [None], ["a", "a"], [1, 2], list(range(1500)), _deep(3), _deep(28), _deep(200)),
    *({"kind": None}, {"kind": []}, {"kind": {}}, {"kind": "none"}, {"kind": "lora"}, {"kind": "linear"}, {"": 1}, {"a.b": 1}, {"epochs": {"x": 1}}),
    *({"kind": "files", "train": "bad.jsonl", "columns": {"text": "x"}}, {"kind": "files", "train": "t.csv", "columns": {}}),
    *({"kind": "pretrained", "source": "~nobody/x"}, {"kind": "trained", "corpus": {"kind": "trained"}}, {f"arm-{n}" + "n" * 50: {} for n in range(40)}),
)


def specimens() -> list[str]:
    """The shipped specs and two of our own that hold what those may lack."""
    return [path.read_text() for path in sorted((CHECKOUT / "specs").rglob("*.yaml"))] + [RICH, MODEL]


def mutated_bytes(choose: random.Random, text: str) -> bytes:
    content = bytearray(text.encode())
    for _ in range(choose.randint(1, 6)):
        start = choose.randrange(len(content) + 1)
        match choose.randrange(4):
            case 0:
                content[start:start] = choose.randbytes(choose.randint(1, 4))
            case 1:
                del content[start : start + choose.randint(1, 30)]
            case 2:
                content[start : start + 1] = choose.randbytes(1)
            case _:
                other = choose.randrange(len(content) + 1)
                content[start:start] = content[other : other + choose.randint(1, 80)]
    return bytes(content)


def mutated_text(choose: random.Random, text: str) -> str:
    for _ in range(choose.randint(1, 4)):
        lines = text.split("\n")
        first, second = choose.randrange(len(lines)), choose.randrange(len(lines))
        match choose.randrange(5):
            case 0:
                lines[first], lines[second] = lines[second], lines[first]
            case 1:
                lines[first] = " " * choose.randrange(8) + lines[first].lstrip()
            case 2:
                lines.insert(first, lines[second])
            case 3:
                del lines[first]
            case _:
                at = choose.randrange(len(lines[first]) + 1)
                lines[first] = lines[first][:at] + choose.choice(SNIPPETS) + lines[first][at:]
        text = "\n".join(lines)
    return text


def mutated_values(choose: random.Random, text: str) -> dict[str, Any]:
    values: dict[str, Any] = copy.deepcopy(yaml.safe_load(text))
    for _ in range(choose.randint(1, 4)):
        block, key = choose.choice(list(_entries(values)))
        new = copy.deepcopy(choose.choice(VALUES))
        match choose.randrange(5):
            case 0:
                block[key] = new
            case 1:
                del block[key]
            case 2:
                other, name = choose.choice(list(_entries(values)))
                block[key] = copy.deepcopy(other[name])
            case 3 if isinstance(block, dict):
                block[choose.choice(KEYS)] = block.pop(key)
            case _ if isinstance(block, dict):
                block[choose.choice(KEYS)] = new
            case _:
                block.insert(key, new)
        if not values:
            break
    return values


def _entries(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every block or list with each of its keys, at most 200 a block."""
    keys: list[Any] = list(value) if isinstance(value, dict) else list(range(len(value))) if isinstance(value, list) else []
    for key in keys[:200]:
        yield value, key
        yield from _entries(value[key])
