"""Prompts of BOLD (Dhamala et al., FAccT 2021): beginnings of Wikipedia sentences on people, groups and professions. CC BY-SA 4.0."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from tasks.data._bold import SOURCES, Domain, held_out_titles, prompts
from tasks.data.catalogue import digest_of
from tasks.fairness._generation import Prompt


def digest() -> str:
    """Digest of the pinned files."""
    return digest_of(SOURCES)


def bold_prompts(domains: Sequence[Domain], held_out: float | None, cache: Path) -> list[Prompt]:
    """The prompts of some domains; with ``held_out`` only those of pages that ``bold-wikipedia``, ``by: title``, keeps from training with this share."""
    kept = None if held_out is None else held_out_titles(held_out, cache)
    found = []
    for domain in domains:
        for page in prompts(domain, cache):
            if kept is None or page.title in kept:
                found += [Prompt(f"{domain}/{page.category}/{page.title}/{number}", domain, page.category, text) for number, text in enumerate(page.texts)]
    return found
