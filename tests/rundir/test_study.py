"""A study's plan and rows: what is read, what is refused, and what the analysis makes of it."""

from argparse import ArgumentParser
from dataclasses import replace
from pathlib import Path

import pytest

from fdd.commands.arguments import options_of
from fdd.errors import UsageError
from fdd.reporting.pictures import save
from fdd.reporting.study import analyse, arm_table, as_json, difference_table, forest, latex, markdown
from fdd.rundir.study import Row, Study, read_study
from fdd.settings import add_options, flat, load_settings
from tests.test_house import ROOT

PLAN = """
question = "Who gets the problems?"
endpoint = "in-domain"
default = "weak"
seeds = [1, 2, 3]

[settings]
rounds = 1
recipe = "skills"
student = "tiny"
problems.limit = 16

[arms]
weak = { allocation = "weak" }
even = "uniform"
more = { budget = 30 }
"""
TEMPLATES = ("1", "2", "3", "4")


@pytest.fixture
def study(tmp_path: Path) -> Study:
    file = tmp_path / "who.toml"
    file.write_text(PLAN)
    return read_study(file)


def finish(study: Study, arm: str, seed: int, right: int) -> None:
    """Adds a row with `right` of 40 right."""
    cell = next(cell for cell in study.cells if (cell.arm, cell.seed) == (arm, seed))
    counts = {template: (min(10, max(0, right - 10 * place)), 10) for place, template in enumerate(TEMPLATES)}
    study.add(
        Row(
            arm=arm,
            seed=seed,
            settings=dict(flat(cell.settings.to_store())),
            results={"in-domain": counts, "harder": {"1": (right // 2, 20)}},
            problems=32,
            steps=20,
            tokens=4000,
            seconds=60.0,
            machine="cpu",
        )
    )


def finish_all(study: Study) -> None:
    for seed, (weak, even, more) in {1: (20, 16, 20), 2: (24, 18, 22), 3: (22, 20, 25)}.items():
        finish(study, "weak", seed, weak)
        finish(study, "even", seed, even)
        finish(study, "more", seed, more)


def test_a_cell_is_needed_for_each_arm_and_seed_and_a_row_ends_it(study: Study) -> None:
    assert [(cell.seed, cell.arm) for cell in study.cells[:4]] == [
        (1, "weak"),
        (1, "even"),
        (1, "more"),
        (2, "weak"),
    ]
    finish(study, "weak", 1, 20)
    assert [(cell.seed, cell.arm) for cell in study.pending()] == [
        (cell.seed, cell.arm) for cell in study.cells[1:]
    ]


def test_an_arm_is_a_control_or_settings_of_its_own(study: Study) -> None:
    weak, even, more = (cell.settings for cell in study.cells[:3])
    assert (weak.allocation, even.allocation, even.operators) == ("weak", "uniform", "similar")
    assert (weak.budget, more.budget) == (None, 30)


def test_differences_are_paired_by_seed_and_in_points(study: Study) -> None:
    finish_all(study)
    found = as_json(analyse(study))
    assert (found["endpoint"], found["interim"]) == ("in-domain", False)
    even, more = found["comparisons"]
    # 4, 6 and 2 of 40 problems are 10, 15 and 5 points.
    assert (even["arm"], even["pairs"]) == ("even", 3)
    assert even["mean"] == pytest.approx(10)
    assert even["low"] == pytest.approx(-2.42, abs=0.01)
    assert even["high"] == pytest.approx(22.42, abs=0.01)
    assert more["mean"] == pytest.approx(-100 / 3 / 40)


def test_an_endpoint_of_two_sets_counts_each_of_them_as_much(study: Study) -> None:
    finish_all(study)
    both = replace(study, plan=study.plan.model_copy(update={"endpoint": "in-domain+harder"}))
    even, _ = as_json(analyse(both))["comparisons"]
    # 2, 3 and 1 of 20 harder problems are as many points as 4, 6 and 2 of 40.
    assert even["mean"] == pytest.approx(10)
    table = arm_table(analyse(both))
    assert table.headings[2:5] == ("accuracy", "in-domain", "harder")
    assert table.rows[1][2:5] == ("45.0 %", "45.0 %", "45.0 %")


def test_an_endpoint_that_no_student_was_asked_is_one_line(study: Study) -> None:
    finish_all(study)
    other = replace(study, plan=study.plan.model_copy(update={"endpoint": "in-domain+outside"}))
    with pytest.raises(UsageError, match="endpoint 'outside' is none of the test sets in-domain, harder"):
        analyse(other)


def test_a_study_with_missing_pairs_says_interim(study: Study) -> None:
    finish(study, "weak", 1, 20)
    finish(study, "even", 1, 16)
    found = analyse(study)
    assert found.interim
    assert as_json(found)["comparisons"][0] == {
        "arm": "even",
        "pairs": 1,
        "mean": None,
        "low": None,
        "high": None,
        "p": None,
    }
    assert difference_table(found).rows[0][:3] == ("even", "1", "")


def test_an_arm_may_have_fewer_students_than_there_are_seeds(study: Study) -> None:
    text = PLAN.replace("[arms]", "[pairs]\nmore = 2\n\n[arms]")
    study.file.write_text(text)
    fewer = read_study(study.file)
    assert [cell.seed for cell in fewer.cells if cell.arm == "more"] == [1, 2]
    for cell in fewer.cells:
        assert analyse(fewer).interim
        finish(fewer, cell.arm, cell.seed, 20)
    assert not analyse(fewer).interim
    assert [each["pairs"] for each in as_json(analyse(fewer))["comparisons"]] == [3, 2]


def test_tables_are_markdown_and_latex_and_the_plot_is_svg(study: Study) -> None:
    finish_all(study)
    found = analyse(study)
    assert markdown(arm_table(found)).splitlines()[2].startswith("| weak | 3 | 55.0 % | 32 | 20 | 60 |")
    assert r"weak & 3 & 55.0 \% & 32" in latex(arm_table(found))
    drawn = save(forest(found), "svg")
    assert b"less even" in drawn
    assert b"points on in-domain" in drawn


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('default = "weak"', 'default = "strong"', "default 'strong' is none of its arms weak, even, more"),
        ("[1, 2, 3]", "[1, 2, 2]", "a seed is named twice"),
        ("[1, 2, 3]", "[1]", "seeds"),
        (
            'even = "uniform"',
            'even = "evenly"',
            "arm 'even' is 'evenly'; give settings, or one of the controls",
        ),
        ("budget = 30", "bugdet = 30", "bugdet"),
        ("endpoint =", "end point =", "is not TOML"),
        ('question = "Who gets the problems?"', "", "question"),
        ("[arms]", "[pairs]\nweak = 2\n[arms]", "pairs.weak 2: name another arm than the default"),
        ("[arms]", "[pairs]\nmore = 4\n[arms]", "pairs.more 4: .* at most 3, the number of seeds"),
        ("[arms]", "[pairs]\nmore = 1\n[arms]", "pairs.more 1"),
    ],
)
def test_a_plan_that_cannot_be_meant_is_one_line(tmp_path: Path, old: str, new: str, message: str) -> None:
    file = tmp_path / "who.toml"
    assert old in PLAN
    file.write_text(PLAN.replace(old, new))
    with pytest.raises(UsageError, match=message) as caught:
        read_study(file)
    assert "\n" not in str(caught.value)


def test_a_row_from_before_a_setting_was_added_still_counts(study: Study) -> None:
    finish(study, "weak", 1, 20)
    row = study.rows()[0]
    del row.settings["overgenerate"]
    study.rows_file.write_text(f"{row.model_dump_json()}\n")
    assert [each.seed for each in study.rows()] == [1]


def test_a_missing_plan_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot read the study"):
        read_study(tmp_path / "nowhere.toml")


def test_rows_of_a_changed_plan_are_noticed(study: Study) -> None:
    finish(study, "weak", 1, 20)
    study.file.write_text(PLAN.replace("problems.limit = 16", "problems.limit = 20"))
    with pytest.raises(UsageError, match="line 1 has other settings than the plan for arm 'weak', seed 1"):
        read_study(study.file).rows()


@pytest.mark.parametrize("line", ["{", "{}", "null"])
def test_a_broken_row_is_one_line(study: Study, line: str) -> None:
    study.rows_file.write_text(f"{line}\n")
    with pytest.raises(UsageError, match=r"line 1: .*; remove the line, then run again"):
        study.rows()


def test_a_repeated_row_is_refused(study: Study) -> None:
    finish(study, "weak", 1, 20)
    finish(study, "weak", 1, 20)
    with pytest.raises(UsageError, match="line 2 repeats arm 'weak', seed 1"):
        study.rows()


def test_the_beginning_that_arms_share_can_be_started_from_its_options(tmp_path: Path) -> None:
    file = tmp_path / "plan.toml"
    file.write_text(
        PLAN.replace("[arms]", '[arms]\nfew = { recipe = "wireless_math" }\ndaslam = { recipe = "daslam" }')
        + 'many = { recipe = "wireless_math", self_samples = 8 }\n'
        + 'llm2llm = { recipe = "llm2llm", explain_attempts = false, reprobe = false, self_samples = 2 }\n'
    )
    plans = sorted((ROOT / "studies").glob("*.toml"))
    assert len(plans) >= 5
    for cell in [cell for plan in (file, *plans) for cell in read_study(plan).cells]:
        for settings in (cell.settings, cell.beginning):
            parser = ArgumentParser()
            add_options(parser)
            given = vars(parser.parse_args(list(options_of(settings))))
            assert load_settings(given, environment={}) == settings
