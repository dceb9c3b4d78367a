"""Statistics over users and trainings: tests, intervals, effects, corrections. Imports scipy late."""
