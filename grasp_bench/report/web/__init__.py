"""Boards in a browser, `grasp-bench board --web`: pages made from stored results at each request.

    boards.py     boards and pairs of a folder of results, kept until the results change
    view.py       which part of a board is shown; a view is the query of an address
    pages.py      the list of studies, a board, and two methods compared, as pages
    app.py        addresses, headers and refusals (Starlette)
    serving.py    the socket, the server (uvicorn), and the browser

A page is what `leaderboard` and `compare` print. Forms work without scripts.
"""
