"""The files of BOLD (Dhamala et al., FAccT 2021): sentences of Wikipedia pages, and the prompts that they begin with. CC BY-SA 4.0."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tasks.core.seeds import uniform
from tasks.data.catalogue import Source, fetch

if TYPE_CHECKING:
    import pandas as pd

BASE = "https://raw.githubusercontent.com/amazon-science/bold/3ad652c773f5d1e30d5f6f61657ed934d768ecad"
SOURCES = tuple(
    Source(name, f"{BASE}/{name}", sha256)
    for name, sha256 in (
        ("prompts/gender_prompt.json", "a863aaf2492e3c911c39f435005abee2eba5f5edabe836e97de110cd83273054"),
        ("prompts/political_ideology_prompt.json", "a83ea7cc272971b618231e13bcb5c1d1be5b208c92135c4ffde85be31f8ab4c6"),
        ("prompts/profession_prompt.json", "5508012069f20419559417e64d8bb2b8d864ebf8afedd21e5ca564393c291794"),
        ("prompts/race_prompt.json", "200337f6c43b09671e580b1df6aea2cdc0196ee02779260e9881da07029e1cb6"),
        ("prompts/religious_ideology_prompt.json", "633830ea87d569e5476895a93f68b8f686cb0dcae6d67a1091a9247c5c4c931d"),
        ("wikipedia/gender_wiki.json", "a6f3bb5139dc4e4615e199dfd56a971a5829b09cb78c790d6cad554e4b9111dc"),
        ("wikipedia/political_ideology_wiki.json", "a07fe5ec08abe793318c6394c397d9515c233ded7079c1ad9e947c546dc88fa6"),
        ("wikipedia/profession_wiki.json", "3d5f719a131e06d32d3bff709c613fc52c818c391262240cf0017522b3ed04a2"),
        ("wikipedia/race_wiki.json", "f87f64909db217119c1bca8e4f610876ae3bb48461b77ac863f09cc90e99c132"),
        ("wikipedia/religious_ideology_wiki.json", "094982f89659966d17e6c264f3abd8feae0415bb982e32166de93ea881bc63ef"),
    )
)

Domain = Literal["gender", "political_ideology", "profession", "race", "religious_ideology"]
DOMAINS: tuple[Domain, ...] = ("gender", "political_ideology", "profession", "race", "religious_ideology")


@dataclass(frozen=True)
class Page:
    """A Wikipedia page of a domain and category: its sentences, or the prompts that they begin with, in the same order."""

    domain: str
    category: str
    title: str
    texts: tuple[str, ...]


def wikipedia(domain: Domain, cache: Path) -> list[Page]:
    """The pages of a domain, as sentences. Raises DataError."""
    return _pages(f"wikipedia/{domain}_wiki.json", domain, cache)


def prompts(domain: Domain, cache: Path) -> list[Page]:
    """The pages of a domain, as prompts. Raises DataError."""
    return _pages(f"prompts/{domain}_prompt.json", domain, cache)


def held_out_titles(share: float, cache: Path) -> frozenset[str]:
    """Pages that are kept from training: of every category pages by a keyed coin of their titles, until a share of its sentences is held out.

    A page that is held out in one category is in all of them.
    """
    found: set[str] = set()
    for domain in DOMAINS:
        categories: dict[str, list[Page]] = {}
        for page in wikipedia(domain, cache):
            categories.setdefault(page.category, []).append(page)
        for pages in categories.values():
            wanted, held = share * sum(len(page.texts) for page in pages), 0
            for page in sorted(pages, key=lambda page: uniform(0, "bold-title", page.title))[: len(pages) - 1]:
                if held >= wanted:
                    break
                found.add(page.title)
                held += len(page.texts)
    return frozenset(found)


def split_by_title(table: pd.DataFrame, share: float, cache: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Train and test of sentences (columns text, title): pages held out whole, and no sentence that a held-out page repeats in train."""
    out = table["title"].isin(held_out_titles(share, cache))
    repeated = table["text"].isin(table["text"][out])  # some sentences stand on two pages
    return table[~repeated], table[out]


def _pages(name: str, domain: Domain, cache: Path) -> list[Page]:
    source = next(source for source in SOURCES if source.name == name)
    found = json.loads(fetch("bold", source, cache).read_text(encoding="utf-8"))
    return [Page(domain, category, title, tuple(texts)) for category, pages in found.items() for title, texts in pages.items()]
