"""server.py KIND CERTIFICATE KEY: a TLS server, as a user of that library writes it. KIND is index, a
directory over HTTP by Python itself, or aiohttp, tornado or websockets: these give back what they get. It
prints its port, and ends with its standard input."""

import asyncio
import ssl
import sys

import _ssl


def ready(port):
    print(f"extension {_ssl.__file__}\nport {port}", flush=True)


async def until_the_end():
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def serve_index(context):
    import http.server
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.SimpleHTTPRequestHandler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    ready(server.server_port)
    server.serve_forever()


async def serve_aiohttp(context):
    from aiohttp import web

    async def echo(request):
        return web.Response(body=await request.read() or b"hello from aiohttp\n")
    app = web.Application(client_max_size=1 << 24)
    app.router.add_route("*", "/", echo)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    ready(runner.addresses[0][1])
    await until_the_end()
    await runner.cleanup()


async def serve_tornado(context):
    from tornado import httpserver, netutil, web

    class Echo(web.RequestHandler):
        def get(self):
            self.write("hello from tornado\n")

        def post(self):
            self.write(self.request.body)
    sockets = netutil.bind_sockets(0, "127.0.0.1")
    server = httpserver.HTTPServer(web.Application([("/", Echo)]), ssl_options=context)
    server.add_sockets(sockets)
    ready(sockets[0].getsockname()[1])
    await until_the_end()


async def serve_websockets(context):
    import websockets

    async def echo(socket):
        async for message in socket:
            await socket.send(message)
    async with websockets.serve(echo, "127.0.0.1", 0, ssl=context, max_size=None) as server:
        ready(server.sockets[0].getsockname()[1])
        await until_the_end()


def main():
    kind, certificate, key = sys.argv[1:]
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    serve = globals()[f"serve_{kind}"]
    if asyncio.iscoroutinefunction(serve):
        asyncio.run(serve(context))
    else:
        serve(context)


main()
