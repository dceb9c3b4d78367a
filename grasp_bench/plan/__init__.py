"""Spec to plan: cells, and the nodes that they share. Sees core and spec only; never imports torch."""
