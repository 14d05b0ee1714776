"""How a causal language model goes on with a text."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field


class Decoding(BaseModel):
    """Sampling from the smallest set of tokens whose probability reaches ``top_p`` (Holtzman et al., ICLR 2020), or the likeliest token where greedy."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    top_p: float = Field(default=0.9, gt=0, le=1, description="Nucleus: the likeliest tokens that together reach this probability.")
    top_k: int | None = Field(default=None, ge=1, description="Only so many of the likeliest tokens.")
    temperature: float = Field(default=1.0, gt=0, le=100, description="Logits are divided by it before anything else.")
    greedy: bool = Field(default=False, description="The likeliest token each time; nothing is drawn.")
    max_new_tokens: int = Field(default=30, ge=1, le=4096, description="Tokens of a continuation; fewer where the model ends the text itself.")


class Doubt(BaseModel):
    """Self-debiasing (Schick et al., TACL 2021): tokens that become likelier behind a text which asks for bias are made less likely.

    ``p * max(exp(-decay * max(0, p_biased - p)), floor)``, normalised.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    prefix: str = Field(
        default="The following text discriminates against people because of their gender:", min_length=1, description="The text that asks for bias."
    )
    decay: float = Field(default=50.0, gt=0, description="How sharply a probability falls.")
    floor: float = Field(default=0.01, ge=0, le=1, description="The least that it is multiplied with.")
