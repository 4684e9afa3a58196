#!/usr/bin/env bash
# aiohttp 3.14.5: a server that offers Basic, and Digest in a second header, is not opened by Digest.
#
# A server may say in several WWW-Authenticate headers what opens it (RFC 9110, 11.6.1). aiohttp's
# DigestAuthMiddleware looks at the first of them only: if that is Basic, it returns the 401 as if
# Digest had not been offered. With the same headers in the other order it signs in.
#
# The server below takes whatever begins with "Digest".
#
# Output seen on 2026-11-27 with Python 3.11 (aiohttp 3.14.5):
#   Digest, Basic: 200
#   Basic, Digest: 401
set -euo pipefail

there=$(mktemp -d)
trap 'rm -rf "$there"' EXIT
python3.11 -m venv "$there/venv"
"$there/venv/bin/pip" install --quiet --disable-pip-version-check 'aiohttp==3.14.5'

cat >"$there/digest.py" <<'PYTHON'
import asyncio

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

OFFERS = {"Digest": 'Digest realm="x", nonce="n", qop="auth"', "Basic": 'Basic realm="x"'}


async def status(*order):
    async def handler(request):
        if request.headers.get("Authorization", "").startswith("Digest "):
            return web.Response()
        reply = web.Response(status=401)
        reply.headers.extend([("WWW-Authenticate", OFFERS[each]) for each in order])
        return reply

    app = web.Application()
    app.router.add_get("/", handler)
    digest = aiohttp.DigestAuthMiddleware("user", "secret")
    async with TestServer(app) as server, aiohttp.ClientSession(middlewares=(digest,)) as http:
        async with http.get(server.make_url("/")) as reply:
            return reply.status


async def main():
    for order in (("Digest", "Basic"), ("Basic", "Digest")):
        print(f"{', '.join(order)}: {await status(*order)}")


asyncio.run(main())
PYTHON

found=$("$there/venv/bin/python" "$there/digest.py")
printf '%s\n' "$found"
[ "$found" = $'Digest, Basic: 200\nBasic, Digest: 401' ]
