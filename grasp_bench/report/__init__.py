"""From stored results to boards: reads `results/`, never a model. A cached board imports nothing heavy."""
