"""Audits of splits and of texts: nothing held out may reach training."""
