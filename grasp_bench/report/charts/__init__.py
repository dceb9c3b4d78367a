"""Charts as Vega-Lite specifications, one kind a file, and their drawing as SVG."""
