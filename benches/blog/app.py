"""What articles about FastAPI and Redis have their readers write: a middleware, the tier in a hash, a
sliding window in a sorted set. `app.py <Redis URL> <loop> <http>` prints where it listens; the latter
two are uvicorn's settings.
"""

import socket
import sys
import time

import redis.asyncio
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, PlainTextResponse

WINDOW = 60
TIERS = {"free": 60, "pro": 100_000}

URL, LOOP, HTTP = sys.argv[1:]

client = redis.asyncio.from_url(URL, decode_responses=True)
app = FastAPI()


async def tier_of(api_key: str | None) -> str:
    tier = api_key and await client.hget(f"api_key:{api_key}", "tier")
    return tier if tier in TIERS else "free"


async def count(key: str) -> int:
    now = time.time()
    pipe = client.pipeline()
    pipe.zremrangebyscore(key, 0, now - WINDOW)
    pipe.zadd(key, {str(now): now})
    pipe.zcard(key)
    pipe.expire(key, WINDOW)
    _, _, requests, _ = await pipe.execute()
    return requests


@app.middleware("http")
async def rate_limit(request: Request, call_next):
    api_key = request.headers.get("X-API-Key")
    tier = await tier_of(api_key)
    limit = TIERS[tier]
    requests = await count(f"rate_limit:{tier}:{api_key or request.client.host}")
    headers = {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(0, limit - requests)),
        "X-RateLimit-Reset": str(int(time.time()) + WINDOW),
    }
    if requests > limit:
        headers["Retry-After"] = str(WINDOW)
        return JSONResponse({"detail": "Rate limit exceeded"}, status_code=429, headers=headers)
    response = await call_next(request)
    response.headers.update(headers)
    return response


@app.get("/")
async def hello():
    return PlainTextResponse("Hello, world!")


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print("http://127.0.0.1:%d/" % listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, loop=LOOP, http=HTTP, access_log=False, log_level="warning")
    uvicorn.Server(config).run(sockets=[listener])
