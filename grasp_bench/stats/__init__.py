"""Statistics of methods over users and trainings: tests, intervals, effects, corrections, tiers. Imports
scipy late.
"""
