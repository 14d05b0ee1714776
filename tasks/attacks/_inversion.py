"""ModIvA at work: mixtures of word vectors in the places of a secret, learnt by Adam."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
import torch
from torch import Tensor, nn

from tasks.attacks._candidates import Hunted, Secret
from tasks.core.seeds import torch_generator
from tasks.data._canaries import Canary
from tasks.models.batches import encode_split
from tasks.models.losses import per_example_loss
from tasks.models.model import ModelError, Relaxable

if TYPE_CHECKING:
    from tasks.attacks.attacks.canary_inversion import CanaryInversion

ROUNDS = 100
"""The most exchanges of a symbol; some few are made."""


@dataclass(frozen=True)
class Places:
    """Where the secret stands in a canary's tokens, and which token each symbol is.

    Args:
        batch: the canary's record with any secret, a batch of one.
        places: (n,) positions of the symbols.
        tokens: (A,) token of each symbol of the alphabet.
    """

    batch: dict[str, Tensor]
    places: Tensor
    tokens: Tensor


def invert(attack: CanaryInversion, hunted: Hunted, seed: int, report: Any) -> list[Secret]:
    """A guess at each canary's secret; a token that is no symbol reads as ''. Raises ModelError for a network that takes no mixtures of words."""
    network = hunted.loaded.network.eval()
    if not isinstance(network, Relaxable):
        raise ModelError(f"canary-inversion: a model of kind '{hunted.loaded.model.kind}' takes no mixtures of words: attack it by canary-completion")
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    guesses = []
    for number, canary in enumerate(hunted.canaries):
        places = _places(hunted, canary)
        found = _optimised(attack, network, places, hunted.loaded.encoder.vocabulary_size, torch_generator(seed, "inversion", entity=number))
        guesses.append(_best(hunted, canary, places, found, attack.refine))
        report.progress(number + 1, len(hunted.canaries), "inverting")
    return guesses


def _places(hunted: Hunted, canary: Canary) -> Places:
    """From records that repeat one symbol each: where they differ, the secret stands. Raises ModelError where a symbol is not one token."""
    alphabet = hunted.block.alphabet
    records = pd.DataFrame([canary.record((symbol,) * hunted.block.length) for symbol in alphabet])
    encoded = encode_split(records, hunted.loaded.encoder, hunted.loaded.shape)
    same = bool((encoded.lengths == encoded.lengths[0]).all())
    differ = (encoded.ids != encoded.ids[0]).any(dim=0).nonzero().squeeze(1)
    if not same or len(differ) != hunted.block.length or bool((encoded.ids[:, differ] != encoded.ids[:, differ[:1]]).any()):
        raise ModelError(f"canary-inversion: model.tokenizer: some of {', '.join(alphabet)} is not one token of its own here; choose another tokenizer")
    return Places(encoded.batch([0], hunted.device), differ, encoded.ids[:, differ[0]])


def _optimised(attack: CanaryInversion, network: Any, places: Places, vocabulary: int, generator: torch.Generator) -> Tensor:
    """(restarts, n) the likeliest candidate token of each place, by its index, when each restart ended."""
    ids = places.batch["input_ids"]
    with torch.no_grad():
        around = network.vectors(ids).expand(attack.restarts, -1, -1)
        choices = torch.arange(vocabulary) if attack.vocabulary == "full" else places.tokens
        words = network.vectors(choices.to(ids.device).unsqueeze(1)).squeeze(1)
    batch = {name: tensor.expand(attack.restarts, *tensor.shape[1:]) for name, tensor in places.batch.items()}
    logits = torch.empty(attack.restarts, len(places.places), len(words))
    for one in logits:
        nn.init.xavier_uniform_(one, generator=generator)
    logits = logits.to(ids.device).requires_grad_(True)
    optimizer = torch.optim.Adam([logits], lr=attack.learning_rate)
    likeliest, unchanged = logits.argmax(dim=-1), torch.zeros(attack.restarts, dtype=torch.long, device=ids.device)
    ended = torch.zeros(attack.restarts, dtype=torch.bool, device=ids.device)
    for _ in range(attack.steps):
        mixed = (logits / attack.temperature).softmax(dim=-1) @ words
        vectors = around.index_copy(1, places.places.to(ids.device), mixed)
        with torch.backends.cudnn.flags(enabled=False):  # its recurrent kernels have no backward pass outside of training
            answers = network.answers(vectors, batch["attention_mask"], batch["position_ids"])
        optimizer.zero_grad()
        per_example_loss(answers, batch).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        now = torch.where(ended.unsqueeze(1), likeliest, logits.argmax(dim=-1))
        unchanged = torch.where((now == likeliest).all(dim=1), unchanged + 1, 0)
        likeliest, ended = now, ended | (unchanged >= attack.patience)
        if bool(ended.all()):
            break
    return choices[likeliest.cpu()]


def _best(hunted: Hunted, canary: Canary, places: Places, found: Tensor, refine: bool) -> Secret:
    """Of the restarts' symbols those that lose least as words; one with a token that is no symbol comes last."""
    symbols = {int(token): symbol for token, symbol in zip(places.tokens, hunted.block.alphabet, strict=True)}
    read: list[Secret] = [tuple(symbols.get(int(token), "") for token in row) for row in found]
    whole = list(dict.fromkeys(guess for guess in read if all(guess)))
    if not whole:
        return read[0]
    if refine:
        whole = [_refined(hunted, canary, guess) for guess in whole]
    return whole[int(hunted.losses(canary, whole).argmin())]


def _refined(hunted: Hunted, canary: Canary, guess: Secret) -> Secret:
    """Another symbol in one place at a time, the best of all, while that loses less."""
    for _ in range(ROUNDS):
        near = [guess] + [(*guess[:place], symbol, *guess[place + 1 :]) for place in range(len(guess)) for symbol in hunted.block.alphabet]
        losses = hunted.losses(canary, near)
        if losses.min() >= losses[0]:
            break
        guess = near[int(losses.argmin())]
    return guess


def likeliest(hunted: Hunted, guesses: Sequence[Secret]) -> list[float]:
    """1 for each guess that no candidate loses less than, else 0."""
    every = hunted.every_secret()
    place = {secret: index for index, secret in enumerate(every)}
    found = []
    for canary, guess in zip(hunted.canaries, guesses, strict=True):
        losses = hunted.losses(canary, every)  # those of one pass: alone, a loss rounds otherwise
        found.append(float(guess in place and losses[place[guess]] == losses.min()))
    return found
