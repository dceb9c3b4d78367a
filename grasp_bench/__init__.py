"""grasp_bench: a declarative benchmark harness for LLM-enhanced sequential recommendation."""

__version__ = "0.1.0"
