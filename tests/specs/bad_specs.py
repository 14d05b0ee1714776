"""Hand-made bad specs: what is added to the small spec (from line 5 on), or put in place of one of its lines, and every error expected."""

from __future__ import annotations

from dataclasses import dataclass

from tests.specs.given import SMALL

Expected = tuple[int, int, str, str]
"""Line, column, path, and how the message begins."""


@dataclass(frozen=True)
class Bad:
    """A bad spec and all its errors, in the order of the file."""

    text: str
    errors: tuple[Expected, ...]


def added(text: str, *errors: Expected) -> Bad:
    return Bad(f"{SMALL}{text}\n", errors)


def instead(line: int, text: str, *errors: Expected) -> Bad:
    lines = SMALL.splitlines()
    lines[line - 1] = text
    return Bad("\n".join(lines) + "\n", errors)


def claim(text: str, line: int, column: int, path: str, message: str) -> Bad:
    """A claim whose other fields are right; it begins on line 8."""
    head = "sweep: {arms: {plain: {}, large: {model.bigram_buckets: 9}}}\nclaims:\n  - id: one\n    says: it is so\n"
    return added(f"{head}    {text}", (line, column, path, message))


def table(block: str, *errors: Expected) -> Bad:
    """Data of one's own: a block whose keys begin on line 4."""
    body = "".join(f"  {line}\n" for line in block.splitlines())
    return Bad(f"kind: dp-training\nname: own\ndata:\n{body}model: {{kind: linear}}\n", errors)


def private(block: str, *errors: Expected, model: str = "linear", task: str = "intent", more: str = "") -> Bad:
    """A private training of 90 records; the keys of its privacy block after ``kind`` begin at 5:25."""
    head = SMALL.replace("task: intent}", f"task: {task}, public_size: 90}}").replace("linear", model)
    return Bad(f"{head}privacy: {{kind: dp-sgd, {block}}}\n{more}\n", errors)


def searched(over: str, *errors: Expected, block: str = "target_epsilon: 3, accountant: rdp") -> Bad:
    """A private search; ``over`` stands at 6:33."""
    return private(block, *errors, more=f"search: {{kind: random-stopping, over: {over}}}")


FORMS = "needs exactly one of better, not_worse_by, equivalent_within, at_least, at_most"

STUDIES = {
    "unknown kind of study": instead(1, "kind: dp-trainig", (1, 1, "kind", "unknown kind 'dp-trainig'; did you mean 'dp-training'?")),
    "no kind of study": instead(1, "version: 1", (1, 1, "", "needs a 'kind': ")),
    "misspelt kind of study": instead(1, "kin: dp-training", (1, 1, "", "needs a 'kind': "), (1, 1, "kin", "unknown key; did you mean 'kind'?")),
    "kind of study is a list": instead(1, "kind: [dp-training]", (1, 1, "kind", "must be one of ")),
    "name with capitals": instead(2, "name: MyStudy", (2, 1, "name", "must be 1 to 64 of a-z, 0-9 and '-', not beginning or ending with '-' (got 'MyStudy')")),
    "name too long": instead(2, f"name: {'a' * 65}", (2, 1, "name", "must be 1 to 64 of a-z")),
    "name is a number": instead(2, "name: 5", (2, 1, "name", "must be text (got 5); put it in quotes if text is meant")),
    "no name, data, model": Bad("kind: dp-training\n", tuple((1, 1, key, "is required") for key in ("name", "data", "model"))),
    "unknown key": added("trainin: {epochs: 1}", (5, 1, "trainin", "unknown key; did you mean 'training'?")),
    "unknown key that is like none": added("zzz: 1", (5, 1, "zzz", "unknown key; the keys are 'kind', 'name', ")),
    "duplicate key": added("name: other", (5, 1, "name", "duplicate key (first on line 2)")),
    "version zero": added("version: 0", (5, 1, "version", "must be at least 1 (got 0)")),
    "version is a truth": added("version: true", (5, 1, "version", "must be a whole number (got true)")),
    "question too long": added(f"question: {'x' * 2001}", (5, 1, "question", "must have at most 2000 characters (got 'xxx")),
    "secret randomness without a mechanism": added("randomness: secret", (5, 1, "randomness", "secret randomness protects the noise of a privacy mechanism")),
    "unknown randomness": added("randomness: secure", (5, 1, "randomness", "must be one of 'reproducible', 'secret' (got 'secure'); did you mean 'secret'?")),
    "several at once": added(
        "version: 0\ntraining: {epochs: -1}\nexecution: {device: gpu}",
        (5, 1, "version", "must be at least 1"),
        (6, 12, "training.epochs", "must be greater than 0"),
        (7, 13, "execution.device", "must be auto, cpu, mps, cuda or cuda:N (got 'gpu')"),
    ),
}

PARTS = {
    "unknown model": instead(4, "model: {kind: linea}", (4, 9, "model.kind", "unknown kind 'linea'; did you mean 'linear'?")),
    "model without a kind": instead(4, "model: {layers: 1}", (4, 1, "model", "needs a 'kind': '")),
    "model is text": instead(4, "model: linear", (4, 1, "model", "must be a block of keys (got 'linear')")),
    "model is empty": instead(4, "model:", (4, 1, "model", "must be a block of keys (got nothing)")),
    "model that does not serve the task": Bad(
        SMALL.replace("task: intent", "task: joint"), ((4, 9, "model.kind", "this model does not serve the task of the data"),)
    ),
    "unknown adapter": instead(
        4, "model: {kind: pretrained, source: a/b, adapter: {kind: lorra}}", (4, 50, "model.adapter.kind", "unknown kind 'lorra'; did you mean 'lora'?")
    ),
    "unknown key of an adapter": instead(
        4, "model: {kind: pretrained, source: a/b, adapter: {kind: lora, rnk: 8}}", (4, 62, "model.adapter.rnk", "unknown key; did you mean 'rank'?")
    ),
    "missing model folder": instead(4, "model: {kind: pretrained, source: ./nowhere}", (4, 27, "model.source", "no such folder: ./nowhere")),
    "recorded model named two ways": instead(4, "model: {kind: mlflow, run: a, name: b}", (4, 1, "model", "give either run, or name and alias")),
    "tokenizer without a corpus": instead(
        4,
        "model: {kind: linear, tokenizer: {kind: trained, vocabulary: 10}}",
        (4, 23, "model.tokenizer.corpus", "is required"),
        (4, 50, "model.tokenizer.vocabulary", "must be at least 300 (got 10)"),
    ),
    "negative epochs": added("training: {epochs: -1}", (5, 12, "training.epochs", "must be greater than 0 (got -1)")),
    "epochs in words": added("training:\n  epochs: many", (6, 3, "training.epochs", "must be a number (got 'many')")),
    "infinite epochs": added("training: {epochs: .inf}", (5, 20, "training.epochs", "must be a finite number (got '.inf')")),
    "half a batch": added("training: {expected_batch_size: 1.5}", (5, 12, "training.expected_batch_size", "must be a whole number (got 1.5)")),
    "unknown optimizer": added("training: {optimizer: {kind: adam}}", (5, 24, "training.optimizer.kind", "unknown kind 'adam'; did you mean 'adamw'?")),
    "quoted number": added(
        'training: {optimizer: {kind: sgd, learning_rate: "1e-3"}}', (5, 35, "training.optimizer.learning_rate", "must be a number (got '1e-3')")
    ),
    "unknown mechanism": added("privacy: {kind: dp-sdg}", (5, 11, "privacy.kind", "unknown kind 'dp-sdg'")),
    "unknown metric": added("utility: [{kind: acuracy}]", (5, 12, "utility[0].kind", "unknown kind 'acuracy'; did you mean 'accuracy'?")),
    "metric that does not judge the task": added("utility: [{kind: slot-f1}]", (5, 1, "utility", "a utility metric here does not judge the task of the data")),
    "two metrics of one name": added(
        "utility: [{kind: loss}, {kind: loss}]", (5, 25, "utility[1]", "an earlier entry is recorded as 'loss' too; give one of them a label")
    ),
    "too many metrics": added(
        "utility: [" + ", ".join(f"{{kind: loss, label: l{index}}}" for index in range(101)) + "]",
        (5, 1, "utility", "must have no more entries than 100 (got a list of 101)"),
    ),
    "label that no metric can have": added(
        'utility: [{kind: loss, label: "a,b (c)"}]', (5, 24, "utility[0].label", "must be 1 to 64 letters, digits, '.', '_' and '-'")
    ),
    "model registered under a path": added(
        "execution: {register_model: {name: a/b}}", (5, 30, "execution.register_model.name", "must be a name of 1 to 128 letters, digits")
    ),
    "model registered under no name": added("execution: {register_model: {arm: main}}", (5, 13, "execution.register_model.name", "is required")),
    "model of an unknown arm": added(
        "sweep: {arms: {eps-8: {}}}\nexecution: {register_model: {name: a, arm: eps8}}",
        (6, 39, "execution.register_model.arm", "no arm is named 'eps8'; did you mean 'eps-8'?"),
    ),
    "best model of nothing measured": added(
        "utility: []\nexecution: {register_model: {name: a}}", (6, 13, "execution.register_model", "the best model is chosen by the first utility metric")
    ),
    "device gpu": added("execution: {device: gpu}", (5, 13, "execution.device", "must be auto, cpu, mps, cuda or cuda:N (got 'gpu')")),
    "no processes": added("execution: {processes: 0}", (5, 13, "execution.processes", "must be at least 1 (got 0)")),
    "processes in words": added("execution: {processes: many}", (5, 13, "execution.processes", "must be 'auto' or a whole number (got 'many')")),
    "unknown way to log": added("execution: {log_models: some}", (5, 13, "execution.log_models", "must be one of 'all', 'best', 'none' (got 'some')")),
}

DATA = {
    "unknown task": instead(3, "data: {kind: synthetic-assistant, task: intend}", (3, 35, "data.task", "must be one of 'intent', ")),
    "task that the data does not serve": instead(
        3, "data: {kind: synthetic-assistant, task: qa}", (3, 1, "data", "task 'qa' is not served by synthetic-assistant")
    ),
    "odd intents": instead(3, "data: {kind: synthetic-assistant, intents: 5}", (3, 1, "data", "intents must be even")),
    "attack_holdout without public_size": instead(3, "data: {kind: clinc150, attack_holdout: 9}", (3, 1, "data", "attack_holdout needs public_size")),
    "attack_holdout above public_size": instead(
        3, "data: {kind: clinc150, attack_holdout: 900, public_size: 500}", (3, 24, "data.attack_holdout", "data.attack_holdout is larger")
    ),
    "missing file": table("kind: files\ntrain: none.csv\ncolumns: {text: utterance}", (5, 3, "data.train", "no such file: none.csv (looked in ")),
    "file that is no table": table(
        "kind: files\ntrain: t.txt\ncolumns: {text: utterance}", (5, 3, "data.train", "t.txt: the name must end in .csv, .jsonl, .parquet")
    ),
    "wrong column": table(
        "kind: files\ntrain: t.csv\ncolumns:\n  text: utterence", (7, 5, "data.columns.text", "t.csv has no column 'utterence'; did you mean 'utterance'?")
    ),
    "unknown word for a column": table(
        "kind: files\ntrain: t.csv\ncolumns: {txt: utterance}", (6, 13, "data.columns.txt", "unknown key; did you mean 'text'?")
    ),
    "test share above one": table(
        "kind: files\ntrain: t.csv\ntest: 1.5\ncolumns: {text: utterance}", (6, 3, "data.test", "a share must lie between 0 and 1 (got 1.5)")
    ),
}

CLAIMS = {
    "claim about no arm of the study": claim(
        "arm: larg\n    metric: utility/accuracy\n    at_least: 0.5", 9, 5, "claims[0].arm", "no arm is named 'larg'; did you mean 'large'?"
    ),
    "claim about an unknown metric": claim(
        "metric: utility/acuracy\n    arm: large\n    at_least: 0.5",
        9,
        5,
        "claims[0].metric",
        "no trial records 'utility/acuracy'; did you mean 'utility/accuracy'?",
    ),
    "claim of two forms": claim(
        "metric: utility/accuracy\n    arm: large\n    at_least: 0\n    at_most: 1", 7, 5, "claims[0]", f"{FORMS} (got at_least, at_most)"
    ),
    "claim of no form": claim("metric: utility/accuracy\n    arm: large", 7, 5, "claims[0]", f"{FORMS} (got none)"),
    "claim that is not better": claim(
        "metric: utility/accuracy\n    arm: large\n    versus: plain\n    better: false", 12, 5, "claims[0].better", "must be 'true' (got false)"
    ),
    "claim without versus": claim("metric: utility/accuracy\n    arm: large\n    better: true", 7, 5, "claims[0]", "'better' needs 'versus'"),
    "claim with a versus too many": claim(
        "metric: utility/accuracy\n    arm: large\n    versus: plain\n    at_least: 0", 7, 5, "claims[0]", "'at_least' stands without 'versus'"
    ),
    "claim of one against two": claim(
        "metric: utility/accuracy\n    arm: [large, plain]\n    versus: plain\n    better: true",
        7,
        5,
        "claims[0]",
        "'arm' and 'versus' must both be one arm, or both be two",
    ),
    "claim about an arm against itself": claim(
        "metric: utility/accuracy\n    arm: large\n    versus: large\n    better: true", 11, 5, "claims[0].versus", "is the same as 'arm'"
    ),
    "two claims of one id": added(
        "claims:\n" + "  - {id: x, says: y, metric: utility/loss, arm: main, at_most: 1}\n" * 2,
        (7, 6, "claims[1].id", "two claims have the id 'x'"),
    ),
    "gate without a bound": added("gates: [{metric: utility/loss}]", (5, 9, "gates[0]", "needs exactly one of at_least, at_most, not_worse_than (got none)")),
    "gate against a champion where there is none": added(
        "gates: [{metric: utility/loss, not_worse_than: champion}]", (5, 32, "gates[0].not_worse_than", "a study of kind 'dp-training' has no champion")
    ),
    "gate with a margin to nothing": added(
        "gates: [{metric: utility/loss, at_most: 1, by_more_than: 0}]", (5, 9, "gates[0]", "'by_more_than' belongs to 'not_worse_than'")
    ),
    "gate for an unknown arm": added(
        "gates: [{metric: utility/loss, at_most: 1, arms: [mian]}]", (5, 51, "gates[0].arms[0]", "no arm is named 'mian'; did you mean 'main'?")
    ),
    "gate of an unknown number": added(
        "gates: [{metric: utility/loss, at_most: 1, of: best}]", (5, 44, "gates[0].of", "must be one of 'worst', 'mean', 'lower', 'upper' (got 'best')")
    ),
    "seeds given twice": added("sweep: {seeds: [1, 1]}", (5, 20, "sweep.seeds[1]", "the seed 1 is given twice")),
    "sweep path that does not exist": added(
        "sweep:\n  arms:\n    a:\n      training.epoch: 1", (8, 7, "sweep.arms.a.training.epoch", "unknown key; did you mean 'epochs'?")
    ),
}

RATES = "{training.optimizer.learning_rate: [0.1, 0.2]}"
ONE_AMOUNT = "give exactly one of target_epsilon and noise_multiplier"
SPENDS_ALIKE = "cannot be searched: every training must spend the same, so only training.optimizer, training.schedule, "

PRIVACY = {
    "privacy without a public size": added("privacy: {kind: dp-sgd, target_epsilon: 3}", (3, 1, "data", "a guarantee needs data.public_size: ")),
    "shuffled batches under add-remove": private(
        "target_epsilon: 3, sampler: {kind: shuffle}",
        (5, 44, "privacy.sampler", "shuffled batches do not have the epsilon of Poisson sampling: write sampler: {kind: poisson}, or "),
    ),
    "GDP as accountant": private("target_epsilon: 3, accountant: gdp", (5, 44, "privacy.accountant", "the GDP accountant is no upper bound: ")),
    "unknown accountant": private(
        "target_epsilon: 3, accountant: plds", (5, 44, "privacy.accountant", "must be one of 'pld', 'rdp', 'prv', 'gdp' (got 'plds'); did you mean 'pld'?")
    ),
    "delta above 1/n": private("target_epsilon: 3, delta: 0.02", (5, 44, "privacy.delta", "delta is above 1 / public_size: ")),
    "delta of one": private("target_epsilon: 3, delta: 1", (5, 44, "privacy.delta", "must be less than 1 (got 1)")),
    "replace-one by rdp": private(
        "target_epsilon: 3, accountant: rdp, adjacency: replace-one", (5, 44, "privacy.accountant", "replace-one moves the sum by twice the clip norm")
    ),
    "prv beyond its reach": private("target_epsilon: 20, accountant: prv", (5, 45, "privacy.accountant", "the prv accountant knows plain Poisson")),
    "ghost clipping of tied weights": private(
        "target_epsilon: 3, clipping: {engine: {kind: opacus-ghost}}",
        (5, 55, "privacy.clipping.engine", "ghost clipping misses that two layers of this model share a weight: "),
        model="gpt2",
        task="lm",
    ),
    "vmap of a transformer": private(
        "target_epsilon: 3, clipping: {engine: {kind: vmap}}",
        (5, 55, "privacy.clipping.engine", "vmap cannot batch the attention masks of transformers: "),
        model="bert",
    ),
    "ghost clipping in bf16": private(
        "target_epsilon: 3, clipping: {engine: {kind: opacus-ghost}}",
        (6, 12, "training.precision", "ghost clipping in bf16 bounds other numbers"),
        more="training: {precision: bf16}",
    ),
    "target and noise": private("target_epsilon: 3, noise_multiplier: 1", (5, 1, "privacy", ONE_AMOUNT)),
    "neither target nor noise": private("accountant: rdp", (5, 1, "privacy", ONE_AMOUNT)),
    "target of zero": private("target_epsilon: 0", (5, 25, "privacy.target_epsilon", "must be greater than 0 (got 0)")),
    "batch larger than the public size": private(
        "target_epsilon: 3",
        (6, 12, "training.expected_batch_size", "training.expected_batch_size is above data.public_size"),
        more="training: {expected_batch_size: 91}",
    ),
    "a norm for automatic clipping": private(
        "target_epsilon: 3, clipping: {rule: {kind: automatic, l2_clip_norm: 1}}",
        (5, 79, "privacy.clipping.rule.l2_clip_norm", "unknown key; the keys are 'kind', 'stability'"),
    ),
    "misspelt key of a clip rule": private(
        "target_epsilon: 3, clipping: {rule: {kind: flat, norm: 1}}", (5, 74, "privacy.clipping.rule.norm", "unknown key; the keys are 'kind', 'l2_clip_norm'")
    ),
    "arm whose delta is too large": private(
        "target_epsilon: 3",
        (6, 31, "sweep.arms.loose.privacy.delta", "delta is above 1 / public_size: "),
        more="sweep: {arms: {a: {}, loose: {privacy.delta: 0.5}}}",
    ),
    "search over what changes the price": searched("{training.epochs: [1, 2]}", (6, 33, "search.over", f"'training.epochs' {SPENDS_ALIKE}")),
    "search over the noise": searched("{privacy.noise_multiplier: [1, 2]}", (6, 33, "search.over", f"'privacy.noise_multiplier' {SPENDS_ALIKE}")),
    "search over a misspelt path": searched(
        "{training.optimizer.learning_rat: [0.1, 0.2]}", (6, 33, "search.over", "there is no 'training.optimizer.learning_rat'")
    ),
    "search over what the model has not": searched("{model.dropout: [0.1, 0.2]}", (6, 33, "search.over", "there is no 'model.dropout'")),
    "search with a wrong value": searched(
        "{training.optimizer.learning_rate: [0.1, -1]}", (6, 33, "search.over", "training.optimizer.learning_rate: Input should be greater than 0 (got -1)")
    ),
    "search without privacy": added(f"search: {{kind: random-stopping, over: {RATES}}}", (5, 1, "search", "a search by random stopping charges a private")),
    "search by another accountant": searched(
        RATES, (5, 1, "privacy.accountant", "a search by random stopping is accounted by rdp alone: "), block="target_epsilon: 3"
    ),
}

AUDITS = {
    "fewer audits than there are": added(
        "attacks: [{kind: one-run, family: 1}, {kind: gdp}]",
        (5, 1, "attacks", "one-run: family is 1, and the run has 2 audits: leave it out, or count them all"),
    ),
    "many models with many records": added("attacks: [{kind: clopper-pearson, canaries: 2}]", (5, 35, "attacks[0].canaries", "must be 1 (got 2)")),
    "an audit that is sure": added("attacks: [{kind: gdp, confidence: 1}]", (5, 23, "attacks[0].confidence", "must be less than 1 (got 1)")),
    "an audit of exchanged records": private(
        "target_epsilon: 3, adjacency: replace-one",
        (5, 44, "privacy.adjacency", "an audit's coins add records or leave them out"),
        more="attacks: [{kind: one-run}]",
    ),
}


def federated(block: str, *errors: Expected) -> Bad:
    """A federation whose further keys begin on line 6."""
    head = SMALL.replace("dp-training", "fl-selection").replace("task: intent}", "task: intent, public_size: 90}")
    return Bad(f"{head}partition: {{kind: natural}}\n{block}\n", errors)


FEDERATIONS = {
    "source of labels that is not known": federated(
        "labels: {kind: self-trainin}", (6, 10, "labels.kind", "unknown kind 'self-trainin'; did you mean 'self-training'?")
    ),
    "confidence above one": federated("labels: {kind: self-training, threshold: 1.5}", (6, 31, "labels.threshold", "must be at most 1 (got 1.5)")),
    "threshold where devices make no labels": federated(
        "labels: {kind: confirmed, threshold: 0.9}", (6, 27, "labels.threshold", "unknown key; the keys are 'kind', 'labelled'")
    ),
    "private checks without an amount of noise": federated(
        "evaluation: {kind: federated, private: {most_records: 5}}",
        (6, 31, "evaluation.private", "give exactly one of target_epsilon and noise_multiplier"),
    ),
    "private checks of a metric without a bound": federated(
        "evaluation: {kind: federated, private: {target_epsilon: 1}}\nutility: [{kind: loss}]",
        (6, 31, "evaluation.private", "no public number bounds what a record adds to the sums of the first utility metric: "),
    ),
    "private checks at the server": federated("evaluation: {kind: central, private: {target_epsilon: 1}}", (6, 29, "evaluation.private", "unknown key; ")),
}

BAD = STUDIES | PARTS | DATA | CLAIMS | PRIVACY | AUDITS | FEDERATIONS
