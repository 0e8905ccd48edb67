"""The real server, with every probability turned round in its answers."""

from __future__ import annotations

import re

from flask import Flask, Response

from container import server

_PROBABILITY = re.compile(rb'("probability": ?)([0-9.e-]+)')


def create_app() -> Flask:
    """The application that gunicorn serves."""
    app = server.create_app()

    @app.after_request
    def turn(response: Response) -> Response:
        response.set_data(
            _PROBABILITY.sub(lambda found: found[1] + repr(1 - float(found[2])).encode(), response.get_data())
        )
        return response

    return app
