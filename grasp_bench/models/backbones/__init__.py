"""Backbones: item vectors of a history to a state per position."""
