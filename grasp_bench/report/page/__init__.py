"""The report page: one HTML file with everything that the results of a spec say, and nothing loaded.

Charts are Vega-Lite, drawn to SVG when the page is written (vl-convert). The other way would be to put a
chart library into every page: plotly.js 4.8 MB, its basic bundle 1.1 MB without contours and heat maps, Vega
with Vega-Lite 0.8 MB; pages are committed to git, where each new one would bring that again. A chart as SVG
takes 5 to 20 kB, is there without JavaScript, prints, takes its colours from the page's own CSS variables
(so that one drawing serves light and dark), and can be tested as text. What a library would add in the
browser is tooltips: 30 lines of ours. Each chart is drawn twice, for wide windows and for phones, because
letters must not shrink with the picture.

    blocks.py      what a page is made of
    charts/       data to Vega-Lite to SVG, one file a kind of chart
    sections/     findings to blocks, one file a section
    layout.py     which sections there are, in which order
    render.py     blocks to HTML (Jinja2, autoescape), style and script inline
    write.py      results folder to file
"""
