"""Paired statistics over users: tests, intervals, effects, corrections, tiers. Imports scipy late."""
