"""Text that tokenizers are tried on: plain, empty, accented, in other scripts, with odd blanks."""

from __future__ import annotations

PLAIN = ["the cat sat on the mat", "play blue moon by nina simone", "turn on the lights in the kitchen, please!", "wake me at six"] * 5
ODD = ["", " ", "  two  blanks ", "naïve café", "日本語のテキスト", "a\nb\tc", "🙂🙃", "x" * 300, "ÄÖÜ ß", "end."]
SENTENCES = [["play", "blue", "moon"], ["naïve"], ["日本", "x", "…"], ["a"] * 40, ["supercalifragilisticexpialidocious"] * 3]
