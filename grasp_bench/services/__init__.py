"""Use paid and shared services: requests, answers, budgets, limits, credentials, prices."""
