"""Everything that a GPU is to show, in one call: a run end to end, speeds, and students of a study.

    python benchmarks/gpu.py --out FILE [--seconds 520] [--seeds 2000] [--study studies/NAME.toml]

It needs no network if the students are folders or in the cache. Its parts come in order of importance, each
in a process of its own. Their results are in `FILE`, as JSON, after each part, and whatever does not fit into
the time is left out. TRL and vLLM are measured where they are installed. On a CPU the parts are the same with
tiny sizes: `--student tiny --big tiny --seeds 8 --examples 8`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from math import prod
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from fdd.training.worker import LIBRARY_VARIABLES  # noqa: E402

os.environ.update(LIBRARY_VARIABLES)  # before torch is imported

Result = dict[str, Any]
PEAK_TFLOPS = {"H200": 989.0, "H100": 989.0, "A100": 312.0, "L40": 181.0, "4090": 165.0, "L4": 121.0}
"""Dense bfloat16, by a part of the GPU's name, from the makers' data sheets."""
FLOPS_A_WEIGHT = 6
"""Of training, per token and weight: two in the forward pass, four in the backward pass."""
LEAST_SECONDS = 20
"""A part is not begun with less time left."""


def main() -> None:
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--seconds", type=float, default=520.0)
    parser.add_argument("--student", default="smollm2-135m")
    parser.add_argument("--big", default="qwen2.5-coder-1.5b")
    parser.add_argument("--seeds", type=int, default=2000)
    parser.add_argument("--examples", type=int, default=512)
    parser.add_argument("--study", type=Path)
    parser.add_argument("--part", help="used inside")
    given = parser.parse_args()
    if given.part:
        given.out.write_text(json.dumps(PARTS[given.part](given)))
        return
    end, found = time.monotonic() + given.seconds, {}
    for name in PARTS:
        left = end - time.monotonic()
        found[name] = perform(name, left) if left > LEAST_SECONDS else {"left out": "no time was left"}
        given.out.write_text(json.dumps(found, indent=1))
        print(name, json.dumps(found[name]), flush=True)


def perform(name: str, left: float) -> Result:
    """Runs a part in a process of its own, so that it begins with all memory free."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "part.json"
        words = [*sys.argv[1:], "--part", name, "--out", str(out), "--seconds", str(left)]
        try:
            ended = subprocess.run(
                [sys.executable, __file__, *words], stderr=subprocess.PIPE, text=True, timeout=left
            )
        except subprocess.TimeoutExpired:
            return {"left out": f"took more than {left:.0f} s"}
        result: Result = json.loads(out.read_text()) if out.exists() else {"failed": ended.stderr[-800:]}
    return result | {"seconds": round(time.monotonic() - began, 1)}


def device(_: Namespace) -> Result:
    from fdd.training.device import describe
    from fdd.training.tasks import DescribeTask

    return {"device": str(describe(DescribeTask(), None))}


def whole_run(given: Namespace) -> Result:
    """A run with many seeds, from its first phase to its report."""
    with tempfile.TemporaryDirectory() as folder:
        run = f"{folder}/run"
        sizes = ["--limit", str(given.seeds), "--test-size", str(min(400, given.seeds))]
        options = ["--rounds", "1", "--student", given.student, *sizes, "--run-dir", run]
        began = time.monotonic()
        subprocess.run([sys.executable, "main.py", *options], cwd=ROOT, check=True)
        seconds = time.monotonic() - began
        report = [sys.executable, "main.py", "report", run, "--json"]
        told = subprocess.run(report, cwd=ROOT, check=True, capture_output=True, text=True)
    return {"run_seconds": round(seconds, 1), "report": json.loads(told.stdout)}


def training(given: Namespace) -> Result:
    """Trained tokens per second and the share of the GPU's peak, beside TRL's trainer."""
    from dataclasses import replace

    from benchmarks import train_speed
    from benchmarks.lessons import load_examples

    examples = load_examples(given.examples)
    found: Result = {}
    for name in dict.fromkeys((given.student, given.big)):
        for batch in (4, 32):
            train_speed.CONFIG = replace(train_speed.CONFIG, batch_size=batch)
            ours = [("ours", train_speed.ours)]
            others: list[tuple[str, Callable[..., float]]] = [("TRL", trl)] if find_spec("trl") else []
            for who, measure in ours + others:
                folder = path_of(name)
                speed = measure(folder, examples)
                found[f"{name}, batches of {batch}, {who}"] = rated(speed, folder)
    return found


def trl(folder: Path, examples: Sequence[Any]) -> float:
    """TRL's supervised trainer on the same examples, with padding-free batches where it can."""
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from benchmarks.train_speed import CONFIG, Clock
    from fdd.training.data import encode
    from fdd.training.device import choose_runtime
    from fdd.training.student import load_student

    student = load_student(folder, choose_runtime("auto"))
    rows = [encode(student.tokenizer, example) for example in examples]
    data = Dataset.from_list(
        [{"input_ids": list(r.ids), "completion_mask": [int(x >= 0) for x in r.labels]} for r in rows]
    )
    clock, on_gpu = Clock(), torch.cuda.is_available()
    with tempfile.TemporaryDirectory() as output:
        config = SFTConfig(
            output_dir=output,
            per_device_train_batch_size=CONFIG.batch_size,
            num_train_epochs=1,
            learning_rate=CONFIG.learning_rate,
            bf16=on_gpu,
            use_cpu=not on_gpu,
            padding_free=on_gpu,
            completion_only_loss=True,
            max_length=None,
            report_to="none",
            save_strategy="no",
            disable_tqdm=True,
            logging_strategy="no",
        )
        trainer = SFTTrainer(
            student.model, config, train_dataset=data, processing_class=student.tokenizer, callbacks=[clock]
        )
        trainer.train()
    return sum(map(len, rows)) / (clock.ended - clock.began)


def rated(speed: float, folder: Path) -> Result:
    """Returns the speed, and the share of the GPU's peak that it is."""
    import torch
    from safetensors import safe_open

    weights = 0
    for file in folder.glob("*.safetensors"):
        with safe_open(file, framework="pt") as tensors:
            weights += sum(prod(tensors.get_slice(key).get_shape()) for key in tensors.keys())  # noqa: SIM118
    name = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    peak = next((value for part, value in PEAK_TFLOPS.items() if part in name), None)
    used = FLOPS_A_WEIGHT * weights * speed / 1e12
    return {"tokens_per_second": round(speed, 1), "mfu": round(used / peak, 4) if peak else None}


def generation(given: Namespace) -> Result:
    """Written tokens per second, beside `model.generate` and vLLM."""
    from benchmarks import generate_speed
    from benchmarks.lessons import load_examples
    from fdd.training.device import choose_runtime
    from fdd.training.student import load_student

    folder = path_of(given.student)
    requests = generate_speed.as_requests(load_examples(given.examples), ())
    student = load_student(folder, choose_runtime("auto"))
    found = {
        "ours": generate_speed.ours(student, requests),
        "generate": generate_speed.plain(student, requests),
    }
    if find_spec("vllm"):
        found["vLLM"] = generate_speed.by_vllm(folder, requests)
    return {name: round(speed, 1) for name, speed in found.items()}


def study(given: Namespace) -> Result:
    """As many students of a study as the time allows; their rows are appended to its file."""
    if given.study is None:
        return {"left out": "no study was named"}
    rows = given.study.with_suffix(".jsonl")
    before = len(rows.read_text().splitlines()) if rows.exists() else 0
    process = subprocess.Popen([sys.executable, "main.py", "study", str(given.study)], cwd=ROOT)
    try:
        process.wait(timeout=given.seconds - LEAST_SECONDS)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()
    return {"students": len(rows.read_text().splitlines()) - before if rows.exists() else 0}


def path_of(name: str) -> Path:
    from fdd.settings import cache_folder
    from fdd.training.fetch import student_path

    return student_path(name, cache_folder())


PARTS: dict[str, Callable[[Namespace], Result]] = {
    "device": device,
    "run": whole_run,
    "training": training,
    "generation": generation,
    "study": study,
}

if __name__ == "__main__":
    main()
