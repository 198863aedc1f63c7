"""client.py LIBRARIES HOST PORT CA: a request with each of the libraries (joined by commas), as their users
write it. It prints in JSON what came, or the classes of the exception and of all that it was caused by."""

import asyncio
import json
import ssl
import sys

import _ssl


def use_urllib(url, ca):
    import urllib.request
    with urllib.request.urlopen(url, context=ssl.create_default_context(cafile=ca)) as answer:
        return answer.status, answer.read()


def use_http(url, ca):
    import http.client
    import urllib.parse
    place = urllib.parse.urlsplit(url)
    connection = http.client.HTTPSConnection(place.hostname, place.port,
                                             context=ssl.create_default_context(cafile=ca))
    connection.request("GET", "/")
    answer = connection.getresponse()
    return answer.status, answer.read()


def use_requests(url, ca):
    import requests
    answer = requests.get(url, verify=ca)
    return answer.status_code, answer.content


def use_urllib3(url, ca):
    import urllib3
    answer = urllib3.PoolManager(ca_certs=ca, retries=0).request("GET", url)
    return answer.status, answer.data


def use_aiohttp(url, ca):
    import aiohttp

    async def fetch():
        async with aiohttp.ClientSession() as session:
            async with session.get(url, ssl=ssl.create_default_context(cafile=ca)) as answer:
                return answer.status, await answer.read()
    return asyncio.run(fetch())


def use_httpx(url, ca):
    import httpx
    answer = httpx.get(url, verify=ca)
    return answer.status_code, answer.content


def use_tornado(url, ca):
    from tornado.httpclient import AsyncHTTPClient

    async def fetch():
        answer = await AsyncHTTPClient().fetch(url, ca_certs=ca)
        return answer.code, answer.body
    return asyncio.run(fetch())


def use_websockets(url, ca):
    import websockets

    async def talk():
        async with websockets.connect(url.replace("https:", "wss:"), max_size=None,
                                      ssl=ssl.create_default_context(cafile=ca)) as socket:
            await socket.send("x" * 300000)
            return 200, (await socket.recv()).encode()
    return asyncio.run(talk())


def name_of(kind):
    return f"{kind.__module__}.{kind.__qualname__}"


def causes(error):
    """ERROR, what it was raised from, and what libraries put into attributes for that; each once."""
    found, left = [], [error]
    while left:
        one = left.pop(0)
        if not isinstance(one, BaseException) or one in found:
            continue
        found.append(one)
        left += [one.__cause__, one.__context__, getattr(one, "reason", None), *one.args]
    return found


def fetch(library, url, ca):
    try:
        status, body = globals()[f"use_{library}"](url, ca)
        return {"status": status, "size": len(body), "body": body[:200].decode(errors="replace")}
    except Exception as error:
        found = causes(error)
        answer = {"error": [name_of(type(one)) for one in found],
                  "bases": [name_of(kind) for kind in type(error).__mro__]}
        for one in found:
            # A subclass of aiohttp's has none of these attributes.
            if type(one) is ssl.SSLCertVerificationError:
                answer.update(code=one.verify_code, reason=one.reason, text=str(one))
        return answer


def main():
    libraries, host, port, ca = sys.argv[1:]
    answer = {name: fetch(name, f"https://{host}:{port}/", ca) for name in libraries.split(",")}
    print(json.dumps({"extension": _ssl.__file__, **answer}))


main()
