"""Scorers that nothing trains: what any method has to beat, and what shows that an evaluation is sound."""
