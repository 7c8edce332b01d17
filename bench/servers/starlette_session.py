"""Starlette's sessions on uvicorn: the session is in the cookie, signed."""

import json
import os
import socket
import sys
import threading

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import PlainTextResponse
from starlette.routing import Route

PROFILE = json.loads(os.environ["BENCH_PROFILE"])


async def init(request):
    request.session["profile"] = PROFILE
    request.session["count"] = 1
    return PlainTextResponse("1")


async def read(request):
    return PlainTextResponse(str(request.session.get("count", 0)))


async def increment(request):
    count = request.session.get("count", 0) + 1
    request.session["count"] = count
    return PlainTextResponse(str(count))


app = Starlette(
    routes=[
        Route("/init", init),
        Route("/read", read),
        Route("/write", increment),
        Route("/increment", increment),
    ],
    middleware=[
        Middleware(SessionMiddleware, secret_key=os.environ["BENCH_SECRET"])
    ],
)


def end_with_parent():
    sys.stdin.read()
    os._exit(0)


threading.Thread(target=end_with_parent, daemon=True).start()
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
listener.listen(1024)
print(f"listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
config = uvicorn.Config(app, log_level="warning", access_log=False)
uvicorn.Server(config).run(sockets=[listener])
