"""Oort."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field

from tasks.federated.selection import Cohort, Needed, Selection, View

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Oort(Selection):
    """Oort (Lai et al., OSDI 2021): exploit devices of high utility that are quick enough, explore those never heard of.

    With rounds t from 1, statistical utility U = n sqrt(mean loss squared), clipped at its 0.9 quantile and scaled by its range, plus
    sqrt(0.1 ln t / t_last); times (T / seconds)^2 for devices that took longer than T, a percentile of all known durations, which the pacer
    raises when utility stalls. A share max(0.9 x 0.98^(t - 1), 0.3) of the cohort explores: from the five times as many unheard devices with
    the largest min(n, steps x batch size), in proportion to it. The rest exploits: in proportion to the score, from those above 0.05 times the
    score of the best device left out, at least ten times as many as needed. What is then missing is filled uniformly. Round 1 is uniform.

    Every part is computed anew from the history, so a resumed training draws what the uninterrupted one would. This differs from the released
    code, which carries state: here the pacer compares whole windows of completed rounds; scaling looks at devices heard of only; durations of
    devices never heard of are unknown, so exploration is not penalised; where nobody that can be asked is unheard, all exploit at once.
    """

    needs: ClassVar[tuple[Needed, ...]] = ("activity", "history", "losses", "durations")
    unbiased: ClassVar[str] = "No: devices with a high loss and quick devices are preferred, and inclusion probabilities are unknown."
    positive: ClassVar[bool] = False

    kind: Literal["oort"]
    exploration: float = Field(default=0.9, ge=0, le=1, description="Share of the cohort that explores at first.")
    exploration_decay: float = Field(default=0.98, gt=0, le=1, description="What that share is multiplied with in each round.")
    exploration_floor: float = Field(default=0.3, ge=0, le=1, description="What that share does not fall below.")
    exploration_pool: float = Field(default=5.0, ge=1, le=1000, description="Unheard devices that are considered, per place to explore.")
    steps: int = Field(default=20, ge=1, description="Local steps an unheard device is expected to make: its worth is min(n, steps x batch size).")
    clip: float = Field(default=0.9, ge=0, le=1, description="Quantile at which utilities are clipped.")
    cut_off: float = Field(default=0.05, ge=0, le=1, description="Devices below this times the score of the best one left out are not exploited.")
    exploit_pool: float = Field(default=10.0, ge=1, le=1000, description="Devices that are considered in any case, per place to exploit.")
    penalty: float = Field(default=2.0, ge=0, le=100, description="Power of preferred over actual duration for slow devices; 0 does not penalise.")
    percentile: float = Field(default=30.0, gt=0, le=100, description="Percentile of known durations above which a device is slow, at first.")
    pacer_step: int = Field(default=20, ge=1, description="Rounds between two paces.")
    pacer_delta: float = Field(default=5.0, ge=0, le=100, description="What a pace changes the percentile by.")

    def draw(self, view: View, cohort_size: int, generator: np.random.Generator) -> Cohort:
        """Exploit, explore, fill up."""
        import numpy as np

        from tasks.federated.selections._cohorts import candidates, uniformly, without_replacement

        among = candidates(view)
        picked = among[:0]
        if view.round > 0 and len(among) > cohort_size:
            heard = view.history.times_heard[among] > 0
            share = max(self.exploration * self.exploration_decay**view.round, self.exploration_floor) if not heard.all() else 0.0
            exploited = self._exploit(view, among[heard], int(cohort_size * (1.0 - share)), generator)
            explored = self._explore(view, among[~heard], cohort_size - len(exploited), generator)
            picked = np.concatenate([exploited, explored])
        rest = np.setdiff1d(among, picked, assume_unique=True)
        drawn = np.concatenate([picked, uniformly(rest, cohort_size - len(picked), generator)])
        return without_replacement(drawn, None, "none: drawn one after the other by utility")

    def scores(self, view: View, known: NDArray[np.int64]) -> NDArray[np.float64]:
        """(K,) what exploiting goes by, for devices heard of."""
        from tasks.federated.selections._utility import paced, preferred_seconds, scores

        history = view.history
        percentile = paced(history.rounds, history.devices, self.percentile, self.pacer_step, self.pacer_delta)
        preferred = preferred_seconds(history.seconds, percentile)
        utility = view.activity[known] * history.rms_loss[known]
        return scores(utility, history.last_heard[known] + 1, history.seconds[known], view.round + 1, preferred, self.clip, self.penalty)

    def _exploit(self, view: View, known: NDArray[np.int64], places: int, generator: np.random.Generator) -> NDArray[np.int64]:
        import numpy as np

        from tasks.federated.selections._cohorts import sequentially

        places = min(places, len(known))
        if places == 0:
            return known[:0]
        worth = self.scores(view, known)
        order = np.argsort(-worth, kind="stable")
        left_out = worth[order[min(places, len(order) - 1)]]
        pool = max(int(np.count_nonzero(worth >= self.cut_off * left_out)), min(int(self.exploit_pool * places), len(order)))
        return sequentially(known[order[:pool]], worth[order[:pool]], places, generator)

    def _explore(self, view: View, unheard: NDArray[np.int64], places: int, generator: np.random.Generator) -> NDArray[np.int64]:
        import numpy as np

        from tasks.federated.selections._cohorts import sequentially

        places = min(places, len(unheard))
        if places == 0:
            return unheard[:0]
        worth = np.minimum(view.activity[unheard], self.steps * view.batch_size).astype(np.float64)
        pool = min(int(self.exploration_pool * places), len(unheard))
        # Many are worth the same: less than 1 added at random decides which of them are considered.
        first = np.argpartition(-(worth + generator.random(len(worth))), pool - 1)[:pool]
        return sequentially(unheard[first], worth[first], places, generator)
