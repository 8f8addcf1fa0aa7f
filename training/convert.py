"""Converts a GGUF file into a student folder that loads and trains like any other."""

from __future__ import annotations

from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from fdd.training.tasks import ConvertTask


def perform(task: ConvertTask, _: object) -> None:
    """De-quantizes the weights and saves them in bfloat16, with the tokenizer."""
    source = {"pretrained_model_name_or_path": str(task.gguf.parent), "gguf_file": task.gguf.name}
    tokenizer = AutoTokenizer.from_pretrained(**source)
    model: Any = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # The weights are de-quantized by now, but save_pretrained refuses a model that is marked as quantized.
    del model.config.quantization_config, model.hf_quantizer, model.quantization_method
    model.is_quantized = False
    model.config._name_or_path = ""
    model.to(torch.bfloat16).save_pretrained(task.output)
    tokenizer.save_pretrained(task.output)
