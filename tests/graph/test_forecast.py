from collections import Counter
from dataclasses import replace

import pytest

from fdd.domain import Progress
from fdd.graph.forecast import SIZES, TARGET_SECONDS, Clock, dealt, duration, foresee, sized
from fdd.graph.plan import share
from fdd.problems.config import ProblemSettings
from fdd.problems.split import prepare
from fdd.settings import Settings, load_settings
from fdd.training.tasks import Speed

FAST = Speed(training=230, reading=2000, writing=310)
SLOW = Speed(training=75, reading=500, writing=120)


def default(**more: object) -> Settings:
    return load_settings({"rounds": "2", **more}, environment={})


def times(speed: Speed, factor: float) -> Speed:
    return Speed(
        training=factor * speed.training, reading=factor * speed.reading, writing=factor * speed.writing
    )


def test_a_faster_machine_teaches_more_seeds_in_the_same_time() -> None:
    slow, fast, gpu = (sized(default(), speed).problems for speed in (SLOW, FAST, times(FAST, 100)))
    assert slow.limit is not None and fast.limit is not None and gpu.limit is not None
    assert slow.limit < fast.limit < gpu.limit


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_machines_of_a_kind_agree_on_the_size(factor: float) -> None:
    for speed in (SLOW, FAST):
        assert sized(default(), times(speed, factor)) == sized(default(), speed)


def test_a_default_run_keeps_to_its_time_where_the_smallest_one_does() -> None:
    assert sized(default(), SLOW).problems.limit == SIZES[0].seeds
    for factor in (4.0, 8.0, 64.0):
        speed = times(SLOW, factor)
        assert duration(sized(default(), speed), speed) <= TARGET_SECONDS


def test_sizes_that_a_person_gave_stay() -> None:
    given = default(**{"problems.limit": "5", "problems.dev_size": "7"})
    assert sized(given, FAST) == given
    assert sized(default(**{"problems.limit": "5"}), FAST).problems.limit == 5


def test_a_file_is_taken_whole_whatever_the_speed() -> None:
    given = default(**{"problems.name": "mine.jsonl"})
    assert sized(given, SLOW) == given


def test_what_the_papers_way_holds_back_is_of_templates_that_were_taught_before() -> None:
    for size in SIZES[:3]:
        problems = prepare(ProblemSettings(limit=size.seeds, test_size=1, dev_size=1))
        seeds = share(problems.seeds, default())
        for number in (1, 2):
            taught = {seed.template for seed in seeds if seed.round < number}
            probed = [seed.template in taught for seed in seeds if seed.round == number]
            assert probed and sum(probed) >= 0.9 * len(probed)


def test_the_forecast_counts_seeds_as_the_run_deals_them_out() -> None:
    settings = default(**{"problems.limit": "160"})
    assert dealt(settings, 160) == Counter(
        problem.round for problem in share(prepare(settings.problems).seeds, settings)
    )


def test_the_time_left_falls_as_phases_end_and_follows_the_measured_pace(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [0.0]
    monkeypatch.setattr("fdd.graph.forecast.time.monotonic", lambda: now[0])
    foreseen = {(0, "seed"): 0.0, (0, "teach"): 60.0, (0, "fine_tune"): 120.0, (0, "evaluate"): 60.0}
    clock = Clock(lambda: foreseen)
    assert clock.left(Progress(round=0, phase="seed", done=1, total=1)) is None
    assert clock.left(Progress(round=0, phase="teach", done=0, total=4)) == 240
    now[0] = 120.0  # twice as slow as foreseen
    assert clock.left(Progress(round=0, phase="fine_tune", done=0, total=4)) == pytest.approx(180 * 1.5)
    assert clock.left(Progress(round=0, phase="evaluate", done=4, total=4)) == 0


def test_a_second_training_is_foreseen_where_there_is_one() -> None:
    def seconds(**more: object) -> tuple[float, float]:
        found = foresee(default(**more), FAST, {0: 65, 1: 10, 2: 10})
        return found[0, "refine"], found[1, "refine"]

    nothing = seconds()[0]
    for method in ("dpo", "grpo"):  # which need answers of an earlier round
        given = {"refine.method": method, "self_samples": 4, "self_samples_where": "everywhere"}
        before, after = seconds(**given)
        assert before == nothing < after
        assert seconds(**given, **{"refine.epochs": 3})[1] > after
    follows = {"refine.method": "distill", "refine.teacher": "tiny"}
    alone, written = seconds(**follows, **{"refine.texts": "rationales"}), seconds(**follows)
    assert nothing < alone[0] < written[0] and nothing < alone[1] < written[1]


def test_every_phase_of_a_run_is_foreseen() -> None:
    settings = replace(default(), rounds=1)
    assert list(foresee(settings, FAST, {0: 65, 1: 10})) == [
        *(
            (0, phase)
            for phase in (
                "seed",
                "teach",
                "baseline",
                "fine_tune",
                "refine",
                "evaluate",
                "probe",
                "synthesize",
            )
        ),
        *((1, phase) for phase in ("teach", "practise", "probe_children", "fine_tune", "refine", "evaluate")),
        *((1, phase) for phase in ("test", "report")),
    ]
