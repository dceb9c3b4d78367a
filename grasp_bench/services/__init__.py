"""Paid and shared services: what was asked and answered, budgets, rates, keys, prices."""
