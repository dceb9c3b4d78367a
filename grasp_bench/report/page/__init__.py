"""The report page: one HTML file with everything that the results of a spec say, and nothing loaded.

Charts are Vega-Lite, drawn to SVG when the page is written (vl-convert). A chart library in every page would
cost more: plotly.js has 4.8 MB, its basic bundle 1.1 MB without contours and heat maps, Vega with Vega-Lite
0.8 MB, and pages are committed to git. A chart as SVG takes 5 to 20 kB, is there without JavaScript, prints,
takes its colours from the page's CSS variables (one drawing serves light and dark), and can be tested as
text. Tooltips take 30 lines of our own script. Each chart is drawn twice, for wide windows and for phones,
because letters must not shrink with the picture.

    blocks.py     what a page contains besides tables and figures
    render.py     results folder to sections to HTML (Jinja2, autoescape), style and script inline
"""
