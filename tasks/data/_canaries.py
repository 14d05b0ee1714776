"""Canaries as records: the text of a secret, its answers, and where its repetitions stand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from tasks.core.seeds import numpy_generator
from tasks.data.canary import SERVED
from tasks.data.columns import NEEDED
from tasks.data.dataset import DataError
from tasks.data.insertion import MARK, Inserted

if TYPE_CHECKING:
    from tasks.data.canary import Canaries
    from tasks.data.prepared import PreparedData

OWNERS = ("anna", "ben", "clara", "david", "emma", "felix", "grace", "henry", "iris", "jack", "kate", "leo", "mia", "noah", "olivia", "paul", "rosa", "sam")


@dataclass(frozen=True)
class Canary:
    """One canary: what an attacker knows of it, and how a candidate for its secret reads.

    Args:
        number: from 0.
        template: the words around the secret, with the owner filled in.
        task: what is learnt.
    """

    number: int
    template: str
    task: str

    @property
    def label(self) -> str:
        """Its intent."""
        return f"canary-{self.number}"

    @property
    def beginning(self) -> Canary:
        """The same up to the end of its secret."""
        words = self.template.split()
        return replace(self, template=" ".join(words[: words.index("{secret}") + 1]))

    def record(self, secret: Sequence[str]) -> dict[str, Any]:
        """The record of a secret: text, and label, tokens, slots as the task asks."""
        words, tags, label = [], [], self.label
        for word in self.template.split():
            if word != "{secret}":
                words.append(word)
                tags.append("O")
                continue
            words.extend(secret)
            tags.extend([f"B-{label}", *[f"I-{label}"] * (len(secret) - 1)][: len(secret)])
        found: dict[str, Any] = {"text": " ".join(words), "label": label, "tokens": words, "slots": tags}
        needed = ("text", *NEEDED.get(self.task, ()))
        return {name: value for name, value in found.items() if name in needed}


def canaries_of(block: Canaries, task: str) -> list[Canary]:
    """The canaries of a block, without their secrets."""
    return [Canary(number, block.template.replace("{owner}", _owner(number)), task) for number in range(block.count)]


def secrets_of(block: Canaries, seed: int) -> list[tuple[str, ...]]:
    """The secret of each canary: symbols independent and alike; no two share a secret while there are enough."""
    found: list[tuple[str, ...]] = []
    for number in range(block.count):
        draw = numpy_generator(seed, "canary", entity=number)
        secret = tuple(block.alphabet[place] for place in draw.integers(len(block.alphabet), size=block.length))
        while secret in found and block.candidates >= 2 * block.count:
            secret = tuple(block.alphabet[place] for place in draw.integers(len(block.alphabet), size=block.length))
        found.append(secret)
    return found


def inserted(block: Canaries, prepared: PreparedData, seed: int) -> Inserted:
    """See Canaries.insert."""
    if prepared.task not in SERVED:
        raise DataError(f"canaries: task '{prepared.task}' has no place for a secret; it is one of {', '.join(SERVED)}")
    known, secrets = canaries_of(block, prepared.task), secrets_of(block, seed)
    records = {"train": _repeated(block, known, secrets, prepared.split("train"), block.repetitions, seed, "train")}
    if block.in_validation and prepared.has("validation"):
        share = len(prepared.split("validation")) / len(prepared.split("train"))
        records["validation"] = _repeated(block, known, secrets, prepared.split("validation"), round(share * block.repetitions), seed, "validation")
    listed = pd.DataFrame([{"id": f"{MARK}{canary.label}", **canary.record(secret)} for canary, secret in zip(known, secrets, strict=True)])
    listed["secret"] = [" ".join(secret) for secret in secrets]
    needed = NEEDED.get(prepared.task, ())
    labels = tuple(canary.label for canary in known) if "label" in needed else ()
    slots = tuple(f"{part}-{canary.label}" for canary in known for part in "BI") if "slots" in needed else ()
    return Inserted(records, listed, labels, slots, {"block": block.model_dump(mode="json")})


def _repeated(
    block: Canaries, known: Sequence[Canary], secrets: Sequence[Sequence[str]], hosts: pd.DataFrame, times: int, seed: int, split: str
) -> pd.DataFrame:
    """Each canary so many times; user, time and group are those of records drawn at random, or of one user's."""
    rows = []
    for canary, secret in zip(known, secrets, strict=True):
        draw = numpy_generator(seed, f"canary-hosts-{split}", entity=canary.number)
        pool = hosts
        if block.by == "user":
            if "user" not in hosts:
                raise DataError("canaries.by is the user, and the records name none: leave it out, or name a user column")
            pool = hosts[hosts["user"] == hosts["user"].iloc[int(draw.integers(len(hosts)))]]
        places = draw.integers(len(pool), size=times)
        for repetition, place in enumerate(places):
            host: dict[str, Any] = {str(name): value for name, value in pool.iloc[int(place)].items()}
            rows.append({**host, **canary.record(secret), "id": f"{MARK}{canary.label}-{repetition}"})
    return pd.DataFrame(rows, columns=hosts.columns)


def _owner(number: int) -> str:
    """A name; from the nineteenth on two."""
    first, second = OWNERS[number % len(OWNERS)], number // len(OWNERS)
    return first if not second else f"{first} {OWNERS[(second - 1) % len(OWNERS)]}" + (f" {second // len(OWNERS)}" if second > len(OWNERS) else "")
