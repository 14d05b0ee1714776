"""How easily a small probe extracts people's groups from a model's states: the compression of an online code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from tasks.core.component import OneOf
from tasks.core.measures import Measures, Need, PreparedOther, Row
from tasks.data.dataset import DATASETS, Dataset
from tasks.fairness.metric import FairnessMetric, Fidelity, Side
from tasks.models.ability import Ability

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tasks.fairness._mdl import Chosen, Code

    Floats = NDArray[np.float64]

DIFFERENCES = (
    "regularisation by a mixture over what was coded before, not by a development set",
    "balanced groups",
    "a mean over several orders",
)


class MdlExtractability(FairnessMetric):
    """Extractability of the group (Orgad et al., NAACL 2022): the compression of an online code by a probe (Voita and Titov, EMNLP 2020).

    ``score``, the headline, is the compression: the length of the uniform code, ``n log2(K)``, over that of the online code; 1 where states tell nothing of the
    group, at most n over the size of the first block. Groups are balanced by a keyed draw, so that the uniform code is what a blind coder pays.
    ``code_length/score`` is the length of the online code, ``accuracy/score`` the accuracy of the probe of the last block on it. ``control/score`` is the
    compression of the same groups shuffled over the records: about 1, whatever the states. Numbers are means over keyed orders of the same records,
    of which their intervals tell; those of other records are not covered. Only records of exactly one group are used.
    """

    side: ClassVar[Side] = "intrinsic"
    notion: ClassVar[str] = "extractability of the group"
    requires: ClassVar[tuple[Ability, ...]] = ("encoder",)
    headline: ClassVar[str] = "score"
    ideal: ClassVar[float | None] = 1.0

    kind: Literal["mdl-extractability"]
    data: Annotated[Dataset, OneOf(DATASETS)] | None = Field(default=None, description="Texts whose records name groups; without it, the model's own data.")
    split: Literal["train", "validation", "test"] = Field(
        default="test", description="The split that is read; train is of the members, where it is the model's own."
    )
    groups: tuple[str, ...] = Field(default=(), description="Only these groups; none: all.")
    probe: Literal["linear", "tanh"] = Field(default="linear", description="Logistic regression, or a network with one hidden tanh layer.")
    hidden_size: int | None = Field(default=None, ge=1, le=4096, description="Units of the tanh probe; without it, half the states' width.")
    pooling: Literal["mean", "first", "last", "max"] = Field(default="mean", description="How states become the vector of a text; first is [CLS] of BERT.")
    examples: int = Field(default=2000, ge=2, le=100_000, description="The most records, by a keyed draw.")
    minimum: int = Field(default=30, ge=1, description="Records that a group needs.")
    orders: int = Field(default=5, ge=1, le=100, description="Random orders of the records.")

    @model_validator(mode="after")
    def _consistent(self) -> MdlExtractability:
        if self.data is not None and not self.data.has_groups:
            raise ValueError(f"the records of {self.data.kind} name no groups")
        if self.hidden_size is not None and self.probe != "tanh":
            raise ValueError("hidden_size is that of the tanh probe")
        return self

    @property
    def reads_own_data(self) -> bool:
        """Without data of its own."""
        return self.data is None

    @property
    def fidelity(self) -> Fidelity:
        """An adaptation."""
        return "adaptation"

    @property
    def differs(self) -> str:
        """In how the probe is regularised, and in the sample."""
        return "; ".join(DIFFERENCES)

    @property
    def groups_compared(self) -> str:
        """Those that are named."""
        return ", ".join(self.groups)

    def needs(self, study: Mapping[str, Any]) -> tuple[Need, ...]:
        """The texts, where they are not the model's own."""
        return () if self.data is None else (PreparedOther(label="probe", data=self.data.model_dump(mode="json")),)

    def measure(self, target: Path, needed: Mapping[str, Path], data: Path, seed: int, report: Any) -> Measures:
        """The four rows, and per record the mean length of its code."""
        import numpy as np

        from tasks.data.prepared import PreparedData
        from tasks.fairness._mdl import chosen
        from tasks.models.probing import Probe

        probe = Probe.open(target, "cpu" if report is None else report.device)
        if "encoder" not in probe.abilities:
            return Measures(self.without("unsupported", "this model has no states"))
        prepared = PreparedData(needed.get("data/probe", data))
        if not prepared.has(self.split):
            return Measures(self.without("unsupported", f"the data has no split '{self.split}'"))
        records = prepared.split(self.split)
        said = {"data": prepared.facts["split_digests"][self.split], "split": self.split}
        absent = [column for column in ("text", "group") if column not in records or records[column].isna().all()]
        if absent:
            return Measures(self.without("unsupported", f"the records have no {' and no '.join(absent)}", conditions=said))
        found = chosen(records, self.groups, self.examples, self.minimum)
        if isinstance(found, str):
            return Measures(self.without("insufficient_evidence", found, len(records), conditions=said))
        states = probe.text_states(found.records["text"].tolist(), self.pooling)
        if not np.isfinite(states).all():
            return Measures(self.without("undefined", "the model's states are not finite", len(states), conditions=said))
        return self.scored(states, found, said, seed, report)

    def scored(self, states: Floats, found: Chosen, said: Mapping[str, str], seed: int, report: Any = None) -> Measures:
        """The rows of states (N, H) of the chosen records."""
        import numpy as np

        from tasks.fairness._mdl import codes, ends

        hidden = None if self.probe == "linear" else self.hidden_size or max(1, states.shape[1] // 2)
        real, shuffled = codes(states, found.groups, len(found.names), self.orders, hidden, seed, report)
        sizes = np.bincount(found.groups)
        about = {**said, "groups": ", ".join(f"{name} {size}" for name, size in zip(found.names, sizes, strict=True))}
        first, n, blind = ends(len(states))[0], len(states), float(np.log2(len(found.names)))
        over = f"interval by Student's t over {self.orders} orders of the same records" if self.orders > 1 else "one order has no interval"
        given: dict[str, Any] = {"conditions": about, "reason": f"{over}; {found.why}"}
        rows = (
            self._compression("score", real, n, first, blind, direction="lower", **given),
            self._compression("control/score", shuffled, n, first, blind, direction="none", **given),
            self._mean("code_length/score", [float(code.bits.sum()) for code in real], n, first * blind, np.inf, **given),
            self._mean("accuracy/score", [code.accuracy for code in real], real[0].last, 0.0, 1.0, **given),
        )
        return Measures(rows, {"id": found.records["id"].tolist(), "bits": np.mean([code.bits for code in real], axis=0).tolist()})

    def _compression(self, name: str, coded: list[Code], n: int, first: int, blind: float, **given: Any) -> Row:
        """The uniform length over the mean online length, whose interval it has; an online code is never shorter than its first block."""
        import numpy as np

        from tasks.fairness._mdl import mean_with_ends

        length, held = mean_with_ends([float(code.bits.sum()) for code in coded], first * blind, np.inf)
        turned = None if held is None else (n * blind / held[1], n * blind / held[0])
        return self.row(name, n * blind / length, turned, n, lowest=0.0, highest=n / first, **given)

    def _mean(self, name: str, values: list[float], n: int, low: float, high: float, **given: Any) -> Row:
        import numpy as np

        from tasks.fairness._mdl import mean_with_ends

        mean, held = mean_with_ends(values, low, high)
        return self.row(name, mean, held, n, direction="none", lowest=low, highest=high if np.isfinite(high) else None, **given)
