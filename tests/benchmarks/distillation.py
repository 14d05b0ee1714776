"""Distillation at a size that people use: a student's step with a stored and with an asked teacher, role reversal of 100 MB, generation in batches.

    python tests/benchmarks/distillation.py [--json] [--steps 15] [--megabytes 100] [--device cpu]

Steps: teacher of 4 layers and student of 2, both 256 wide, vocabulary 4,096, batches of 32 windows of 64 tokens, most of which have a role reversal; medians
of interleaved steps; the combiner is exp-mean with exchanged output words. The peer of a stored teacher is a plain step of the same student on the same
batch; that of an asked one is two forward passes of the teacher and such a step. Generation: 200 prompts, 30 tokens, of the teacher; the peer is one prompt
at a time, 20 of them scaled up. Role reversal: BOLD's Wikipedia sentences and wikitext-2 where ASSAY_DATA names their folder, else invented ones, repeated.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import torch

from tasks.data._biographies import biographies, profession_prompts
from tasks.distillation.distillation import Distillation
from tasks.distillation.lessons import make_lessons
from tasks.distillation.taught import Taught, taught
from tasks.distillation.teacher import AskedTeacher, StoredTargets, store
from tasks.distillation.vocabulary import group_vocabulary
from tasks.models.batches import Encoded, network_inputs
from tasks.models.decoding import Decoding
from tasks.models.generating import continuations
from tasks.models.losses import per_example_loss
from tasks.models.model import MODELS, TaskShape
from tasks.text._huggingface import FastEncoder, fit
from tasks.text.counterfactuals.gender import Gender

VOCABULARY, LENGTH, BATCH, TOP_K = 4096, 64, 32, 64
PROMPTS, ALONE = 200, 20
HOW = Distillation.model_validate({"combiner": {"kind": "exp-mean"}, "temperature": 2.0})


def row(name: str, value: float, unit: str, target: float | None = None, met: bool | None = None) -> dict[str, Any]:
    """One line of the table."""
    return {"name": name, "value": round(value, 3), "unit": unit, "target": target, "met": met}


def steps(count: int, device: str) -> Iterator[dict[str, Any]]:
    """Ratios of a taught step to what it is made of."""
    encoder = _encoder()
    texts = [" ".join(biographies(2, 0.8, seed)) for seed in range(BATCH * 8)]
    lessons = make_lessons(texts, encoder, Gender(kind="gender").reverser(), lambda done, total: None)
    reverser = Gender(kind="gender").reverser()
    teacher, student = _network(encoder, 4, device).eval(), _network(encoder, 2, device)
    asked = AskedTeacher(teacher, lessons, HOW, group_vocabulary(encoder, reverser).to(device), device)
    examples = taught(lessons, HOW, asked, encoder.vocabulary_size, encoder.pad_id)
    with TemporaryDirectory() as folder:
        store(asked, lessons, lessons.chosen("original"), TOP_K, Path(folder), lambda done, total: None)
        kept = replace(examples, targets=StoredTargets(Path(folder), device))
        optimizer = torch.optim.AdamW(student.parameters(), lr=1e-4)
        full = (examples.lengths >= examples.lengths.max() - 4).nonzero().squeeze(1)
        spent = _interleaved(count, _steps_of(examples, kept, teacher, student, optimizer, full, device), device)
    plain, stored, online, forward = (statistics.median(spent[name]) for name in ("plain", "stored", "online", "forward"))
    yield row("plain student step", plain * 1000, "ms")
    yield row(f"with a stored teacher (top {TOP_K}) over plain", stored / plain, "x", 1.2, stored / plain <= 1.2)
    yield row("one teacher forward pass", forward * 1000, "ms")
    yield row("asked teacher over two teacher passes and a plain step", online / (2 * forward + plain), "x", 1.15, online <= 1.15 * (2 * forward + plain))


def _steps_of(asked: Taught, kept: Taught, teacher: Any, student: Any, optimizer: Any, full: torch.Tensor, device: str) -> dict[str, Callable[[int], None]]:
    plain = Encoded(asked.ids, asked.lengths, asked.pad_id, asked.records)

    def chosen(step: int) -> torch.Tensor:
        return full[torch.arange(step * BATCH, (step + 1) * BATCH) % len(full)]

    def learn(examples: Encoded, step: int) -> None:
        batch = examples.batch(chosen(step), device)
        optimizer.zero_grad(set_to_none=True)
        (examples.loss or per_example_loss)(student(**network_inputs(batch)), batch).mean().backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    @torch.no_grad()
    def forward(step: int) -> None:
        teacher(**network_inputs(plain.batch(chosen(step), device)))["lm"].float().log_softmax(dim=-1)

    return {"plain": lambda step: learn(plain, step), "stored": lambda step: learn(kept, step), "online": lambda step: learn(asked, step), "forward": forward}


def _interleaved(count: int, parts: dict[str, Callable[[int], None]], device: str) -> dict[str, list[float]]:
    spent: dict[str, list[float]] = {name: [] for name in parts}
    for step in range(count + 2):
        for name, part in parts.items():
            begun = time.perf_counter()
            part(step)
            if device.startswith("cuda"):
                torch.cuda.synchronize()
            if step >= 2:
                spent[name].append(time.perf_counter() - begun)
    return spent


def reversal(megabytes: int) -> Iterator[dict[str, Any]]:
    """Seconds for so much text."""
    texts, where = _texts()
    size = sum(len(text.encode()) for text in texts)
    reverser = Gender(kind="gender").reverser()
    done, begun = 0, time.perf_counter()
    while done < megabytes * 1_000_000:
        for text in texts:
            reverser.reverse(text)
        done += size
    spent = (time.perf_counter() - begun) * megabytes * 1_000_000 / done
    yield row(f"role reversal of {megabytes} MB of {where}, one process", spent, "s", 60.0, spent < 60)


def _texts() -> tuple[list[str], str]:
    import os

    from tasks.core.places import data_folder
    from tasks.data._bold import DOMAINS, wikipedia
    from tasks.data.datasets.wikitext_2 import Wikitext2

    if os.environ.get("ASSAY_DATA") and (data_folder() / "bold").is_dir():
        paragraphs = Wikitext2(kind="wikitext-2").load(data_folder()).splits["train"]["text"].tolist()
        return [*(text for domain in DOMAINS for page in wikipedia(domain, data_folder()) for text in page.texts), *paragraphs], "Wikipedia"
    return biographies(20_000, 0.8, 0), "invented text"


def generation(device: str) -> Iterator[dict[str, Any]]:
    """One prompt at a time over all in batches."""
    encoder = _encoder()
    network = _network(encoder, 4, device).eval()
    prompts = [text for _, text in profession_prompts(PROMPTS // 32 + 1, 0)][:PROMPTS]
    decoding = Decoding(max_new_tokens=30)
    continuations(network, encoder, prompts[:8], decoding, 1, 0, device)
    begun = time.perf_counter()
    continuations(network, encoder, prompts, decoding, 1, 0, device)
    together = time.perf_counter() - begun
    begun = time.perf_counter()
    for number, prompt in enumerate(prompts[:ALONE]):
        continuations(network, encoder, [prompt], decoding, 1, number, device)
    alone = (time.perf_counter() - begun) * PROMPTS / ALONE
    yield row(f"{PROMPTS} prompts of 30 tokens", together, "s")
    yield row("one prompt at a time over batches", alone / together, "x", 5.0, alone / together >= 5)


def _encoder() -> FastEncoder:
    return FastEncoder(fit(_texts()[0][:20_000] + biographies(4000, 0.0, 1), VOCABULARY), LENGTH)


def _network(encoder: FastEncoder, layers: int, device: str) -> Any:
    block: Any = MODELS.parse({"kind": "gpt2", "layers": layers, "hidden_size": 256, "heads": 4, "dropout": 0.0})
    return block.build(TaskShape("lm"), encoder, 0).to(device)


def main() -> None:
    """Print the table, or rows as JSON."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--steps", type=int, default=15)
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [*steps(given.steps, given.device), *reversal(given.megabytes), *generation(given.device)]
    if given.json:
        print(json.dumps(rows, indent=1))
        return
    for found in rows:
        target = "" if found["target"] is None else f"target {found['target']:g}: {'met' if found['met'] else 'missed'}"
        print(f"{found['name']:64} {found['value']:>10.3f} {found['unit']:3} {target}")


if __name__ == "__main__":
    main()
