"""`assay validate` says in one line that a study is valid, or every error of every file."""

from __future__ import annotations

from pathlib import Path

from tests.cli.running import assay
from tests.specs.given import SMALL, write
from tests.specs.mutating import CHECKOUT


def test_a_valid_study_is_one_line(folder: Path) -> None:
    write(folder, SMALL + "sweep: {seeds: [0, 1], arms: {a: {}, b: {training.epochs: 1}, c: {}}}\n")
    done = assay("validate", "s.yaml")
    assert (done.code, done.out, done.err) == (0, "s.yaml: valid dp-training study 'small', 6 trials (arms: 3, seeds: 2)\n", "")


def test_labels_are_shown_with_their_arms(folder: Path) -> None:
    tokenizer = "{kind: trained, vocabulary: 300, corpus: {kind: clinc150}}"
    write(folder, SMALL + f"sweep: {{arms: {{a: {{}}, b: {{model.tokenizer: {tokenizer}}}}}}}\n")
    done = assay("validate", "s.yaml")
    assert done.code == 0
    assert done.out.splitlines()[1].endswith("[TEXT-01] (arms: b)")


def test_every_file_is_read_and_every_error_told(folder: Path) -> None:
    write(folder, SMALL, "good.yaml")
    write(folder, SMALL + "version: 0\ntraining: {epochs: -1}\n", "bad.yaml")
    done = assay("validate", "bad.yaml", "good.yaml", "absent.yaml")
    assert done.code == 2
    assert done.out == "good.yaml: valid dp-training study 'small', 1 trial (arms: 1, seeds: 1)\n"
    assert done.error_lines == [
        "bad.yaml:5:1: version: must be at least 1 (got 0)",
        "bad.yaml:6:12: training.epochs: must be greater than 0 (got -1)",
        "absent.yaml:1:1: no such file; did you mean 'bad.yaml'?",
    ]


def test_every_shipped_spec_is_valid() -> None:
    files = sorted((CHECKOUT / "specs").rglob("*.yaml"))
    done = assay("validate", *files)
    assert done.code == 0, done.err
    assert sum(": valid " in line for line in done.out.splitlines()) == len(files)


def test_a_study_is_found_in_the_home(folder: Path) -> None:
    (folder / "home" / "specs").mkdir(parents=True)
    write(folder / "home" / "specs", SMALL)
    assert assay("validate", "specs/s.yaml").code == 0


def test_a_study_of_the_current_folder_comes_first(folder: Path) -> None:
    (folder / "home").mkdir()
    write(folder / "home", SMALL)
    write(folder, SMALL.replace("name: small", "name: nearer"))
    assert "study 'nearer'" in assay("validate", "s.yaml").out


def test_what_is_no_file_is_one_line(folder: Path) -> None:
    for name, message in {".": "is a folder, not a spec file", "a" * 5000: "cannot be read: File name too long", "none/s.yaml": "there is no folder"}.items():
        done = assay("validate", name)
        assert done.code == 2 and not done.out
        (line,) = done.error_lines
        assert message in line


def test_other_commands_refuse_a_bad_study_with_the_same_lines(folder: Path) -> None:
    write(folder, SMALL + "training: {epochs: -1}\n")
    expected = ["s.yaml:5:12: training.epochs: must be greater than 0 (got -1)"]
    for command in ("plan", "run"):
        done = assay(command, "s.yaml")
        assert (done.code, done.out, done.error_lines) == (2, "", expected)


def test_a_word_of_the_command_line_is_checked_as_a_key_is(folder: Path) -> None:
    write(folder, SMALL)
    done = assay("run", "s.yaml", "--device", "gpu")
    assert (done.code, done.error_lines) == (2, ["s.yaml:1:1: execution.device: must be auto, cpu, mps, cuda or cuda:N (got 'gpu')"])
