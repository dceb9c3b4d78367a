"""Statistics over users and trainings: tests, intervals, effects, corrections; scipy is imported late."""
