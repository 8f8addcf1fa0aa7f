"""Sets the environment for tests: offline and strict. It comes first, as libraries read it when imported."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["LANGSMITH_TRACING"] = "false"
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]
