"""Soundness rules of labels that users confirm or devices make."""

from __future__ import annotations

from tasks.attacks.attack import compares_pools
from tasks.core.rules import Facts, Rule
from tasks.data.rules import task_of
from tasks.federated.labels import LABELS, Labels
from tasks.federated.rules import asks_before


def _few_labels(facts: Facts) -> bool:
    """Whether some records have no label."""
    found = LABELS.members().get(str(facts.get("labels.kind")))
    return found is not None and issubclass(found, Labels) and not found.complete


RULES = (
    Rule(
        id="FED-40",
        when=lambda facts: _few_labels(facts) and task_of(facts) not in (None, "intent", "tagging", "joint"),
        verdict="refuse",
        sentence="the records of this task have no label that a user could confirm or a device could make: write labels: {kind: given}",
        source="self-training makes labels of classes (Lee 2013)",
        path="labels",
    ),
    Rule(
        id="FED-41",
        when=lambda facts: _few_labels(facts) and asks_before(facts),
        verdict="refuse",
        sentence="this selection asks devices for losses on records whose label nobody confirmed: use one that needs none, or labels: {kind: given}",
        source="a loss needs a label, and devices have few",
        path="federation.selection",
    ),
    Rule(
        id="FED-42",
        when=lambda facts: _few_labels(facts) and compares_pools(facts),
        verdict="label",
        sentence="attacks score members by labels that training never saw: of unconfirmed records the model may know the text and not the label",
        source="membership is inferred from the loss on what was trained on (Yeom et al., CSF 2018)",
        path="attacks",
    ),
)
