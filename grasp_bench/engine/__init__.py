"""Executes a plan over stages that it knows by registry alone: no model, no dataset."""
