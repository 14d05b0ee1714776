"""Claims: statements about arms that the report answers in words, with intervals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Form = Literal["better", "not_worse_by", "equivalent_within", "at_least", "at_most"]
FORMS: tuple[Form, ...] = ("better", "not_worse_by", "equivalent_within", "at_least", "at_most")
ABSOLUTE: tuple[Form, ...] = ("at_least", "at_most")

Pair = Annotated[tuple[str, ...], Field(min_length=2, max_length=2)]
Margin = Annotated[float, Field(ge=0)]


class Claim(BaseModel):
    """One statement about a metric of an arm, or of the difference between two.

    Exactly one of ``better``, ``not_worse_by``, ``equivalent_within``, ``at_least`` and ``at_most`` says what is claimed.
    Better and worse follow the metric's own direction. ``arm: [a, b]`` means a - b, so with ``versus: [c, d]`` the claim is
    about (a - b) - (c - d).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    id: str = Field(min_length=1, max_length=60, description="Short name of the claim.")
    says: str = Field(min_length=1, max_length=300, description="The claim in words.")
    metric: str = Field(min_length=1, max_length=200, description="Full name of a metric, e.g. utility/accuracy.")
    arm: str | Pair = Field(description="The arm it is about; [a, b] is a - b.")
    versus: str | Pair | None = Field(default=None, description="What it is compared with.")
    better: Literal[True] | None = Field(default=None, description="The arm is better.")
    not_worse_by: Margin | None = Field(default=None, description="The arm is worse by less than this.")
    equivalent_within: Annotated[float, Field(gt=0)] | None = Field(default=None, description="The arm differs by less than this, either way.")
    at_least: float | None = Field(default=None, description="The arm's value is at least this; without versus.")
    at_most: float | None = Field(default=None, description="The arm's value is at most this; without versus.")

    @model_validator(mode="after")
    def _one_form(self) -> Claim:
        given = [form for form in FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            found = f"got {', '.join(given)}" if given else "got none"
            raise ValueError(f"needs exactly one of {', '.join(FORMS)} ({found})")
        if (given[0] in ABSOLUTE) == (self.versus is not None):
            needs = "stands without 'versus'" if self.versus is not None else "needs 'versus', the arm to compare with"
            raise ValueError(f"'{given[0]}' {needs}")
        if self.versus is not None and isinstance(self.arm, str) != isinstance(self.versus, str):
            raise ValueError("'arm' and 'versus' must both be one arm, or both be two")
        return self

    @property
    def form(self) -> Form:
        """Which of the five forms the claim has."""
        return next(form for form in FORMS if getattr(self, form) is not None)

    @property
    def margin(self) -> float:
        """The number that belongs to the form; 0 for ``better``."""
        return 0.0 if self.form == "better" else float(getattr(self, self.form))

    @property
    def arms(self) -> tuple[str, ...]:
        """Every arm that the claim names, in the order of its signs: + - - +."""
        ahead = (self.arm,) if isinstance(self.arm, str) else self.arm
        behind = () if self.versus is None else (self.versus,) if isinstance(self.versus, str) else self.versus
        return (*ahead, *behind)

    @property
    def signs(self) -> tuple[int, ...]:
        """+1 or -1 for each of ``arms``: the claim is about their signed sum."""
        ahead = (1,) if isinstance(self.arm, str) else (1, -1)
        return ahead + tuple(-sign for sign in ahead if self.versus is not None)
