"""Compile specs to plans of cells and shared nodes. Imports core and spec only, never torch."""
