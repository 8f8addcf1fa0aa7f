"""Tests work offline and in strict mode; libraries read the environment when they are imported."""

import os

os.environ["LANGGRAPH_STRICT_MSGPACK"] = "true"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["LANGSMITH_TRACING"] = "false"
for name in [name for name in os.environ if name.startswith("OTEL_")]:
    del os.environ[name]
