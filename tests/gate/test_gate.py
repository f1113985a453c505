"""`flowerexp gate` without Spark: baselines, a commit's code, verdicts, exit codes, files. Runs are made up here."""

from __future__ import annotations

import json
import random
import re
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from flowerexp import cli
from flowerexp.analysis.compared_run import ComparedRun
from flowerexp.analysis.verdict import Verdict, judge
from flowerexp.app import composed
from flowerexp.gate import runs
from flowerexp.measurements.loading import from_rows
from tests.gate.experiment import OWN, change, commit, git, make

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path, monkeypatch):
    folder = make(tmp_path / "repository")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("FLOWEREXP_HOME", str(tmp_path / "home"))
    return folder


class Maker:
    """Makes runs in no time: with the pace, the count and the noise that a side's script has."""

    def __init__(self, folder):
        self.folder, self.sides, self.seen = folder, [], []
        self.verdicts, self.configs, self.chance = {}, {}, random.Random(15)

    def __call__(self, side):
        words = dict(word.partition("=")[::2] for word in side.words)
        config_dir = side.words[side.words.index("--config-dir") + 1]
        script = words.get("entrypoint.script", "").strip("'") or f"{config_dir}/steps.py"
        text = Path(script).read_text()
        self.sides.append(side.name)
        self.seen.append((side, text))
        if side.words not in self.configs:
            self.configs[side.words] = composed([word for word in side.words if "=" in word], config_dir)
        config = self.configs[side.words]
        seconds = dict.fromkeys(("left", "right"), float(re.findall(r"SECONDS = (\S+)", text)[0]))
        seconds["left"] *= 1.2 if "left is slower" in text else 1
        counts = 0 if "counts nothing" in text else 1
        rows = [
            {"how": how, "distance": distance, "steps": counts * distance, "repetition": 1,
             "seconds": seconds[how] * distance * self.chance.lognormvariate(0, config.entrypoint.settings["noise"])}
            for how in config.grid["how"] for distance in config.grid["distance"]
            if f"no {how}" not in text
        ]  # fmt: skip
        measured = from_rows(rows, config.entrypoint)
        verdict = self.verdicts.pop(len(self.sides), None) or judge(measured)
        compared = ComparedRun(side.name, config, measured)
        return runs.MadeRun(side.name, self.folder, None, 1.0, verdict.state, verdict.reasons, "c0de", compared)


@pytest.fixture
def maker(tmp_path, monkeypatch):
    maker = Maker(tmp_path)
    monkeypatch.setattr(runs, "make", maker)
    return maker


@pytest.fixture
def gate(repository, maker, capsys):
    """Run the command; gives its exit code, what it printed, and its JSON."""

    def gate(*words):
        with pytest.raises(SystemExit) as caught:
            cli.main(["gate", *words, "--json", "home/gate.json"])
        out, err = capsys.readouterr()
        path = repository / "home" / "gate.json"
        content = json.loads(path.read_text()) if path.exists() else None
        return caught.value.code, out + err, content

    return gate


class TestVerdicts:
    def test_the_same_code_is_not_slower(self, gate, maker):
        code, out, content = gate("main", *OWN)
        assert (code, content["verdict"], content["exit_code"]) == (0, "not slower", 0)
        assert out.startswith("not slower: every series is as fast or faster (5 blocks)\n")
        assert [one["blocks"] for one in content["looks"]] == [5]
        assert "both sides run the same code with the same config" in out
        assert len(maker.sides) == 10

    def test_a_fifth_slower_is_slower_and_confirmed(self, gate, repository, maker):
        change(repository, "SECONDS = 0.01", "SECONDS = 0.012")
        code, out, content = gate("main", *OWN, "entrypoint.settings.noise=0.02")
        assert (code, content["verdict"]) == (1, "slower")
        assert re.match(r"slower: left by .*, right by .*; 5 blocks said so, and so do all 10", out)
        for one in content["series"]:
            assert one["low"] < 1 / 1.2 < one["high"] < 1
        assert len(maker.sides) == 20

    def test_faster_is_not_slower(self, gate, repository):
        change(repository, "SECONDS = 0.01", "SECONDS = 0.005")
        code, out, _ = gate("main", *OWN)
        assert code == 0
        assert out.startswith("not slower: every series is as fast or faster")

    def test_slower_within_the_margin_is_not_slower(self, gate, repository):
        change(repository, "SECONDS = 0.01", "SECONDS = 0.0103")
        code, out, _ = gate("main", *OWN)
        assert code == 0
        assert re.match(r"not slower: (left|right) is at most 3 % slower, and 5 % are allowed", out)
        assert gate("main", *OWN, "gate.margin=0.02")[0] == 1

    def test_two_repeats_of_much_noise_are_inconclusive(self, gate):
        noisy = (*OWN, "entrypoint.settings.noise=0.5", "gate.repeats=2", "gate.max_seconds=0")
        code, out, content = gate("main", *noisy)
        assert (code, content["verdict"], content["exit_code"]) == (2, "inconclusive", 2)
        assert "gate.max_seconds=0 is spent" in out
        assert re.search(
            rf"about {content['more_blocks']} more blocks like these would decide it: gate.repeats=\d+", out
        )

    def test_what_counts_nothing_is_no_pass(self, gate, repository):
        change(repository, '"""Take', '"""counts nothing')
        code, out, content = gate("main", *OWN)
        assert (code, content["verdict"], content["exit_code"]) == (3, "nothing measured", 3)
        assert "a run of the candidate is invalid: 4 of 4 measurements have no steps" in out

    def test_what_measures_less_is_no_pass(self, gate, repository):
        change(repository, '"""Take', '"""no left')
        code, out, _ = gate("main", *OWN)
        assert code == 3
        assert re.search(r"measure different cells: 2 are of one side only; candidate lacks left 10", out)

    def test_a_run_that_fails_is_no_verdict(self, gate, monkeypatch):
        def fail(side):
            raise runs.NothingMeasuredError(f"a run of the {side.name} failed: no Java")

        monkeypatch.setattr(runs, "make", fail)
        code, out, content = gate("main", *OWN)
        assert (code, content["verdict"]) == (3, "nothing measured")
        assert re.match(r"nothing measured: a run of the \w+ failed: no Java", out)

    def test_a_bug_is_no_verdict(self, gate, monkeypatch):
        monkeypatch.setattr(runs, "make", lambda side: 1 / 0)
        code, out, _ = gate("main", *OWN)
        assert code == 3
        assert "ZeroDivisionError" in out


class TestTheRuns:
    def test_sides_take_turns_at_going_first(self, gate, maker):
        gate("main", *OWN)
        pairs = list(zip(maker.sides[::2], maker.sides[1::2], strict=True))
        assert all({*pair} == {"baseline", "candidate"} for pair in pairs)
        assert [first for first, _ in pairs[:2]] in (["baseline", "candidate"], ["candidate", "baseline"])
        assert [first for first, _ in pairs[2:4]] == [first for first, _ in pairs[:2]]

    def test_a_suspect_block_is_left_out_and_another_one_made(self, gate, maker):
        maker.verdicts[3] = Verdict("suspect", ("other processes were at work",))
        code, out, content = gate("main", *OWN, "gate.repeats=2")
        assert code == 0
        assert len(maker.sides) == 6
        assert [block["gains"] is None for block in content["blocks"]] == [False, True, False]
        assert re.search(r"block 2 is left out: \w+: other processes were at work", out)

    def test_if_all_are_suspect_it_is_inconclusive(self, gate, maker):
        maker.verdicts = {number: Verdict("suspect", ("busy",)) for number in range(1, 99)}
        code, out, content = gate("main", *OWN, "gate.repeats=2", "gate.max_seconds=0")
        assert (code, content["series"]) == (2, [])
        assert "0 of 2 blocks count, and an interval needs two" in out

    def test_nothing_of_the_gates_own_reaches_the_runs(self, gate, maker):
        gate("main", *OWN, "gate.repeats=2", "grid.distance=[5]")
        for side, _ in maker.seen:
            assert "grid.distance=[5]" in side.words
            assert not [word for word in side.words if word.startswith("gate")]


class TestTheCode:
    def test_the_baseline_has_the_commits_code_and_its_configs(self, gate, repository, maker):
        change(repository, "SECONDS = 0.01", "SECONDS = 0.0101")
        _, out, _ = gate("main", *OWN, "gate.repeats=2")
        of_each = {side.name: (side, text) for side, text in maker.seen}
        base, text = of_each["baseline"]
        assert "SECONDS = 0.01 " in text
        assert "SECONDS = 0.0101" in of_each["candidate"][1]
        assert not Path(base.words[1]).is_relative_to(repository)
        assert of_each["candidate"][0].words[1] == str(repository / "mine")
        assert f"the working tree at {git(repository, 'rev-parse', 'HEAD')[:10]} with 1 changed file" in out

    def test_its_folder_is_gone_afterwards(self, gate, repository, maker):
        change(repository, "SECONDS = 0.01", "SECONDS = 0.012")
        gate("main", *OWN, "gate.repeats=2")
        (folder,) = {Path(side.words[1]) for side, _ in maker.seen if side.name == "baseline"}
        assert not folder.exists()
        assert not folder.parents[1].exists()
        assert len(git(repository, "worktree", "list").splitlines()) == 1

    def test_its_folder_is_gone_after_a_stop(self, gate, repository, monkeypatch):
        change(repository, "SECONDS = 0.01", "SECONDS = 0.012")
        seen: list[str] = []

        def stop(side):
            seen.extend(word for word in side.words if "flowerexp-gate-" in word)
            if side.name == "baseline":
                raise KeyboardInterrupt

        monkeypatch.setattr(runs, "make", lambda side: stop(side) or Maker(repository)(side))
        assert gate("main", *OWN)[0] == 130
        assert not Path(seen[0]).exists()
        assert len(git(repository, "worktree", "list").splitlines()) == 1

    def test_a_file_that_git_does_not_know_yet_is_a_change(self, gate, repository, maker):
        (repository / "mine" / "new.py").write_text("")
        gate("main", *OWN, "gate.repeats=2")
        assert len({side.words for side, _ in maker.seen}) == 2

    def test_within_a_hook_of_another_repository_it_is_the_scripts_that_counts(self, gate, tmp_path, monkeypatch):
        monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
        monkeypatch.setenv("GIT_INDEX_FILE", str(tmp_path / "other" / "index"))
        assert gate("main", *OWN, "gate.repeats=2")[0] == 0

    def test_earlier_commits_and_tags_are_baselines(self, gate, repository, maker):
        first = git(repository, "rev-parse", "HEAD")
        git(repository, "tag", "v1")
        change(repository, "SECONDS = 0.01", "SECONDS = 0.012")
        commit(repository)
        for name in (f"commit:{first}", "v1", "HEAD~1", "main~1"):
            code, _, content = gate(name, *OWN, "gate.repeats=2")
            assert code == 1
            assert first[:10] in content["sides"]["baseline"]["what"]

    def test_a_commit_without_the_experiment_is_refused(self, gate, repository):
        (repository / "mine" / "steps.py").rename(repository / "mine" / "other.py")
        commit(repository)
        (repository / "mine" / "other.py").rename(repository / "mine" / "steps.py")
        code, out, _ = gate("main", *OWN)
        assert code == 3
        assert "has no mine/steps.py" in out


class TestMistakes:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            ((), "a gate needs a baseline"),
            (("caching=true",), "a gate needs a baseline"),
            (("main", "nonsense", *OWN), "'nonsense' is not KEY=VALUE"),
            (("main", "--jsn", "x"), "unrecognized arguments: --jsn"),
            (("nowhere", *OWN), "nowhere is neither a run in"),
            (("main", *OWN, "gate.repeats=0"), "gate.repeats=0 must be 1 or more"),
            (("main", *OWN, "gate.repeat=3"), "unknown key gate.repeat"),
            (("main", *OWN, "grid.how=[up]"), "grid.how=up must be one of left, right"),
            (("main", "experiment=caching"), "a gate compares runs of one config, and this one varies caching"),
            (("last-valid@nowhere", *OWN), "nowhere is not in"),
            (("last-valid", *OWN), "there are no runs yet in"),
            (("run:abcd",), "there are no runs yet in"),
            (("tag:x", *OWN), "tag:x cannot be read"),
        ],
        ids=lambda value: " ".join(value)[:30] if isinstance(value, tuple) else "",
    )
    def test_is_said_and_exits_with_three(self, gate, maker, words, said):
        code, out, _ = gate(*words)
        assert code == 3
        assert said in out
        assert not maker.sides

    def test_outside_of_git_there_is_no_commit(self, gate, repository):
        (repository / ".git").rename(repository / "hidden")
        code, out, _ = gate("main", *OWN)
        assert code == 3
        assert "is not in a git repository" in out


class TestFiles:
    def files(self, gate, repository, *words):
        gate("main", *OWN, "--junit", "home/new/gate.xml", "--markdown", "home/gate.md", *words)
        suites = ElementTree.parse(repository / "home" / "new" / "gate.xml").getroot()
        return suites, (repository / "home" / "gate.md").read_text()

    def test_of_a_pass(self, gate, repository):
        suites, markdown = self.files(gate, repository)
        assert junit_problems(suites) == []
        assert [case.get("name") for case in suites.iter("testcase")] == ["left", "right"]
        assert not [*suites.iter("failure"), *suites.iter("error"), *suites.iter("skipped")]
        assert markdown.startswith("### Not slower: steps\n")
        assert "| left | 1.000 | 1.000 to 1.000 | not slower |" in markdown

    def test_of_a_slower_series(self, gate, repository):
        change(repository, '"""Take', '"""left is slower')
        suites, markdown = self.files(gate, repository)
        assert junit_problems(suites) == []
        (failure,) = suites.iter("failure")
        assert failure.get("message").startswith("slower: 0.833 x the baseline")
        assert [case.get("name") for case in suites.iter("testcase") if len(case)] == ["left"]
        assert markdown.startswith("### Slower: steps\n")
        command = markdown.partition("Do it again")[2].splitlines()[2].strip()
        assert shlex.split(command)[:3] == ["flowerexp", "gate", "main"]
        assert shlex.split(command)[-2:] == ["--config-dir", "mine"]

    def test_of_nothing_measured(self, gate, repository):
        change(repository, '"""Take', '"""counts nothing')
        suites, markdown = self.files(gate, repository)
        assert junit_problems(suites) == []
        (error,) = suites.iter("error")
        assert "have no steps" in error.get("message")
        assert markdown.startswith("### Nothing was measured: steps\n")

    def test_of_an_inconclusive_gate(self, gate, repository):
        suites, markdown = self.files(
            gate, repository, "entrypoint.settings.noise=0.5", "gate.repeats=2", "gate.max_seconds=0"
        )
        assert junit_problems(suites) == []
        assert len([*suites.iter("skipped")]) == 2
        assert markdown.startswith("### Inconclusive: steps\n")

    def test_of_a_baseline_that_is_none(self, gate, repository):
        with pytest.raises(SystemExit):
            cli.main(["gate", "nowhere", *OWN, "--junit", "home/gate.xml"])
        assert len([*ElementTree.parse(repository / "home" / "gate.xml").getroot().iter("error")]) == 1

    def test_that_cannot_be_written_is_an_error(self, gate, repository):
        (repository / "file").write_text("")
        code, out, _ = gate("main", *OWN, "gate.repeats=2", "--junit", "file/gate.xml")
        assert code == 3
        assert "flowerexp: making the folder of" in out or "flowerexp: writing" in out


def junit_problems(suites):
    """What is wrong with a JUnit document: what its readers (Jenkins, GitLab, dorny/test-reporter) rely on."""
    problems = [] if suites.tag == "testsuites" else ["the root"]
    for suite in [suites, *suites]:
        cases = [*suite.iter("testcase")]
        counts = {
            "tests": len(cases),
            "failures": len([*suite.iter("failure")]),
            "errors": len([*suite.iter("error")]),
            "skipped": len([*suite.iter("skipped")]),
        }
        problems += [name for name, count in counts.items() if suite.get(name) != str(count)]
        problems += ["time"] if float(suite.get("time")) < 0 else []
        problems += (
            ["a case"]
            if not all(case.get("name") and case.get("classname") and case.get("time") for case in cases)
            else []
        )
        problems += ["a message"] if not all(one.get("message") and one.text for case in cases for one in case) else []
    return problems
