"""The spec: pydantic models only, frozen, unknown keys refused. Never imports torch."""
