import torch

from fdd.training.config import FineTuneConfig
from fdd.training.measure import measure
from fdd.training.student import Student
from fdd.training.tasks import Speed


def test_measuring_gives_speeds_and_leaves_the_weights_as_they_were(student: Student) -> None:
    before = {name: weight.clone() for name, weight in student.model.state_dict().items()}
    speed = measure(student, FineTuneConfig())
    assert min(speed.training, speed.reading, speed.writing) > 0
    assert all(torch.equal(weight, before[name]) for name, weight in student.model.state_dict().items())


def test_an_answer_takes_as_long_as_its_prompt_is_read_and_its_tokens_are_written() -> None:
    assert Speed(training=1.0, reading=160.0, writing=20.0).answer_seconds == 0.5 + 2.0
