"""The student: its weights, its prompts, how it generates and how it is fine-tuned."""
