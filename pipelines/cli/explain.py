"""`assay explain`: why a rule refuses or labels."""

from __future__ import annotations

from typing import Annotated

import typer


def command(
    rule: Annotated[str | None, typer.Argument(help="The rule's id; without it, all rules.")] = None,
) -> None:
    """Say what a soundness rule asks for, why, and on whose word.

    Example: assay explain DATA-02
    """
    from pipelines.cli.common import refuse_word
    from specs.soundness import all_rules

    rules = all_rules()
    if rule is None:
        width = max(len(name) for name in rules)
        for name, one in rules.items():
            typer.echo(f"{name:<{width}}  {one.verdict:<6}  {one.sentence}")
        return
    found = rules.get(rule.upper())
    if found is None:
        refuse_word("no rule", rule, rules, "the rules are")
    verdict = {"refuse": "refuses the study", "label": "labels every number it touches"}[found.verdict]
    when = {"spec": "when the spec is read", "data": "when the data is known", "network": "when the network is built"}[found.stage]
    typer.echo(f"{found.id} {verdict}, {when}\n  what:   {found.sentence}\n  where:  {found.path}\n  source: {found.source}")
