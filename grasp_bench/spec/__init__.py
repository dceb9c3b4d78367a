"""The spec: frozen pydantic models that refuse unknown keys. Never imports torch."""
