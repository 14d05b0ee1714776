"""What a whole study spends: every private trial composed. Whoever sees all arms and seeds, and chooses, sees all of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from pipelines.planning import Plan
from tasks.comparison.comparison import StudyPrivacy
from tasks.core.measures import Row
from tasks.models.steps import LOAD
from tasks.privacy.account import Account
from tasks.privacy.accounts import together


def study_privacy(plan: Plan) -> StudyPrivacy | None:
    """Epsilon of all private trainings together; None for a study without any.

    A training that several trials share counts once. Unlike units or adjacencies do not compose; a trial without privacy is covered by nothing.
    """
    spent = _trainings(plan)
    private = [account for account in spent.values() if account is not None]
    if not private:
        return None
    uncovered = len(spent) - len(private)
    unlike = {(account.unit, account.mechanism.adjacency) for account in private}
    if len(unlike) > 1:
        sentence = f"The {len(private)} private trainings of this study do not compose: they have unlike units or adjacencies."
        return StudyPrivacy(epsilon=None, delta=None, trials=len(private), uncovered=uncovered, sentence=sentence)
    delta = max(account.delta for account in private)
    total = together(Counter(account.mechanism for account in private), delta)
    return StudyPrivacy(epsilon=total, delta=delta, trials=len(private), uncovered=uncovered, sentence=_sentence(private, total, delta, uncovered))


def study_rows(spent: StudyPrivacy | None) -> tuple[Row, ...]:
    """``privacy/epsilon_study`` for the parent run."""
    if spent is None:
        return ()
    conditions = {"trainings": str(spent.trials), "without privacy": str(spent.uncovered)}
    if spent.epsilon is None:
        return (Row(name="privacy/epsilon_study", value=None, status="undefined", reason=spent.sentence, conditions=conditions),)
    return (Row(name="privacy/epsilon_study", value=spent.epsilon, direction="lower", lowest=0, conditions={**conditions, "delta": f"{spent.delta:g}"}),)


def _trainings(plan: Plan) -> dict[str, Account | None]:
    """The account of every training by its key; a model that is only loaded spends nothing here."""
    return {planned.graph.model.key: planned.trial.study.account() for planned in plan.trials if planned.graph.model.step is not LOAD}


def _sentence(private: Sequence[Account], total: float, delta: float, uncovered: int) -> str:
    tag = private[0].guarantee_of(total, delta)
    said = f"The one private training of this study: {tag} (epsilon_study)."
    if len(private) > 1:
        said = f"All {len(private)} private trainings of this study together: {tag} (epsilon_study); choosing among their results is covered by it."
    if uncovered:
        said += f" {uncovered} {'training' if uncovered == 1 else 'trainings'} without privacy {'is' if uncovered == 1 else 'are'} covered by no guarantee."
    return said
