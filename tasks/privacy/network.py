"""Whether a guarantee holds for a network as it was built: what the spec alone cannot tell."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from tasks.core.errors import UserError
from tasks.core.rules import Facts, check
from tasks.privacy.rules import RULES

CROSS_EXAMPLE = (nn.modules.batchnorm._BatchNorm, nn.modules.batchnorm._LazyNormBase)


class UnsoundNetwork(UserError):
    """A rule refuses to train this network under this mechanism; the message is its sentence."""


def check_network(network: nn.Module, privacy: Mapping[str, Any], inputs: Mapping[str, Path]) -> None:
    """Raises UnsoundNetwork with the first rule of stage ``network`` that refuses."""
    for finding in check(RULES, Facts({"privacy": privacy, "facts": network_facts(network, inputs)}), "network"):
        if finding.rule.verdict == "refuse":
            raise UnsoundNetwork(str(finding))


def network_facts(network: nn.Module, inputs: Mapping[str, Path]) -> dict[str, Any]:
    """What rules of stage ``network`` look at.

    ``cross_example``: the first layer that mixes examples; ``tied``: a trained weight that two layers share; ``base``: facts of the data that
    a recorded model, which this training starts from, was trained on, with its guarantee.
    """
    return {
        "cross_example": next((name for name, layer in network.named_modules() if isinstance(layer, CROSS_EXAMPLE)), None),
        "tied": _tied(network),
        "base": _base(inputs["base"]) if "base" in inputs else None,
    }


def _tied(network: nn.Module) -> str | None:
    owners: dict[int, str] = {}
    for module_name, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            if parameter.requires_grad and id(parameter) in owners:
                return f"{owners[id(parameter)]} and {module_name}.{name}"
            owners[id(parameter)] = f"{module_name}.{name}"
    return None


def _base(folder: Path) -> dict[str, Any]:
    data, privacy = (json.loads((folder / name).read_text()) for name in ("data.json", "privacy.json"))
    return {"private": data.get("private"), "guarantee": privacy.get("guarantee")}
