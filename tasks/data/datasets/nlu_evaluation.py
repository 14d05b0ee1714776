"""NLU Evaluation Data (Liu et al., IWSDS 2019), cross-validation fold 1: 64 home-assistant intents and entity spans. CC BY 4.0."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Literal

from tasks.data.catalogue import Source, digest_of, fetch
from tasks.data.dataset import Dataset, RawData, Task

_BASE = (
    "https://raw.githubusercontent.com/xliuhw/NLU-Evaluation-Data/f6071b496b17d71e6eb43f543af0707f4ff30557/CrossValidation/"
    "out4RasaReal/rasa_json_2018_03_22-13_01_25_169_80Train/CrossValidation/KFold_1/"
)
SOURCES = {
    "train": Source(
        "train.json",
        _BASE + "merged/RasaNlu_Merged_KFold_1_2018_03_22-13_01_25_169.json",
        "35b624b21309a7e4810f1d8c6346a2d6079929ff2581fda4a5f1f4311b5df7cf",
    ),
    "test": Source(
        "test.json",
        _BASE + "mergedTestset/RasaNluTestset_Merged_2018_03_22-13_01_25_169.json",
        "664a67b977ebb552303d8adc3661c0d3cf670a2e6c39e330c09d9b44900bfb54",
    ),
}


class NluEvaluation(Dataset):
    """NLU Evaluation Data, fold 1: about 9,960 training and 1,076 test utterances; entities become BIO tags on words."""

    tasks: ClassVar[tuple[Task, ...]] = ("intent", "joint", "tagging")

    kind: Literal["nlu-evaluation"]

    def content_digest(self) -> str:
        """Digest of the pinned files."""
        return digest_of(tuple(SOURCES.values()))

    def load(self, cache: Path) -> RawData:
        """The published fold."""
        import pandas as pd

        splits = {}
        for split, source in SOURCES.items():
            examples = json.loads(fetch("nlu-evaluation", source, cache).read_text())["rasa_nlu_data"]["common_examples"]
            splits[split] = pd.DataFrame([_record(example) for example in examples if example["text"].split()])
        return RawData(splits, {"licence": "CC BY 4.0", "url": _BASE})


def _record(example: Mapping[str, Any]) -> dict[str, Any]:
    text = str(example["text"])
    words = list(re.finditer(r"\S+", text))
    tokens = [word.group() for word in words]
    tags = bio_tags([(word.start(), word.end()) for word in words], example["entities"])
    return {"text": text, "label": example["intent"], "tokens": tokens, "slots": tags}


def bio_tags(words: Sequence[tuple[int, int]], entities: Sequence[Mapping[str, Any]]) -> list[str]:
    """BIO tags of words at character spans, from entities at character spans; of overlapping entities the first wins."""
    tags = ["O"] * len(words)
    for entity in entities:
        inside = [index for index, (start, end) in enumerate(words) if start < int(entity["end"]) and end > int(entity["start"])]
        if inside and all(tags[index] == "O" for index in inside):
            for place, index in enumerate(inside):
                tags[index] = ("B-" if place == 0 else "I-") + str(entity["entity"])
    return tags
