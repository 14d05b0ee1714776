"""Snapshots with planted faults: utterances of two groups of people, of which one speaks a dialect, as files that arrive night by night."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from tasks.data._synthetic import generate

INTENTS, TRAIN, TEST = 8, 1200, 1600
WRONG = 0.25
"""Share of the training labels that are drawn anew: a model without noise learns them by heart, which an attack sees."""

COLUMNS = {"text": "text", "label": "label", "group": "group"}


def utterances(examples: int, seed: int) -> pd.DataFrame:
    """Records whose last quarter is of group b, every word of which has an ending of its own: who never saw it cannot answer."""
    records = generate(examples, 50, INTENTS, 0.0, seed)[["text", "label"]].assign(group="a")
    rare = np.arange(examples) >= 3 * examples // 4
    records.loc[rare, "group"] = "b"
    records.loc[rare, "text"] = records.loc[rare, "text"].map(lambda text: " ".join(f"{word}ish" for word in text.split()))
    return records.sample(frac=1, random_state=seed)


def snapshot(seed: int, fault: str = "") -> pd.DataFrame:
    """A night's records; ``fault``: one group is lost, or labels are shuffled."""
    records = utterances(TRAIN, seed)
    wrong = np.random.default_rng(seed).random(TRAIN) < WRONG
    records.loc[wrong, "label"] = records["label"].sample(wrong.sum(), random_state=seed).to_numpy()
    if fault == "fairness":
        return pd.concat([part := records[records["group"] == "a"], part.sample(TRAIN - len(part), replace=True, random_state=seed)])
    if fault == "utility":
        return records.assign(label=records["label"].sample(frac=1, random_state=seed).to_numpy())
    return records


def arrive(folder: Path, night: int, fault: str = "") -> None:
    """A snapshot is there: written aside and renamed."""
    aside, there = folder / f".aside-{night}", folder / f"day-{night}.csv"
    snapshot(night, fault).to_csv(aside, index=False)
    aside.rename(there)


HOOK = """
import importlib.util, os, pathlib, sys

TARGET = "tasks.training.private_gradient"


class _Noiseless:
    '''Takes the noise out of private training while a file says so: the fault that no accountant can see.'''

    asking = False

    def find_spec(self, name, path=None, target=None):
        if name != TARGET or self.asking:
            return None
        self.asking = True
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.asking = False
        whole = spec.loader.exec_module

        def patched(module):
            whole(module)
            noise = module.PrivateGradient.noise
            kept = lambda: 0.0 if pathlib.Path(os.environ["NOISE_REMOVED"]).exists() else 1.0
            module.PrivateGradient.noise = lambda self, *arguments: noise(self, *arguments) * kept()

        spec.loader.exec_module = patched
        return spec


sys.meta_path.insert(0, _Noiseless())
"""


def noiseless_where(folder: Path) -> dict[str, str]:
    """Environment in which the noise is removed while the file ``noise-removed`` lies in a folder."""
    hooks = folder / "hooks"
    hooks.mkdir(parents=True)
    (hooks / "sitecustomize.py").write_text(HOOK)
    return {"PYTHONPATH": str(hooks), "NOISE_REMOVED": str(folder / "noise-removed")}
