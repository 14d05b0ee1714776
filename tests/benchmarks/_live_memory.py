"""The most bytes of tensors that are alive at once while something runs."""

from __future__ import annotations

import weakref
from collections.abc import Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_iter


class LiveMemory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Inside it every storage that an operation gives is counted until nobody holds it; what was there before is not.

    ``peak`` is in bytes. Autograd on a processor works in the thread that asks it, so backward passes are seen too.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """Run an operation, and count what is new among its results."""
        given = {value.untyped_storage()._cdata for value in tree_iter((args, kwargs)) if isinstance(value, torch.Tensor)}
        found = func(*args, **(kwargs or {}))
        for value in tree_iter(found):
            if isinstance(value, torch.Tensor) and value.untyped_storage()._cdata not in given:
                self._count(value.untyped_storage())
        return found

    def _count(self, storage: torch.UntypedStorage) -> None:
        name = storage._cdata
        if name in self._known:
            return
        self._known[name] = storage.nbytes()
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, name)

    def _gone(self, name: int) -> None:
        self.now -= self._known.pop(name, 0)
