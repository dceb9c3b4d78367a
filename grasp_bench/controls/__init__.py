"""Untrained scorers: the baselines that a method has to beat, and two checks of the evaluation itself."""
