"""streams.py: bulk of python.py with asyncio's streams: the server writes as much as it can."""

import asyncio

WARM, COUNT, LAST = b"w", b"+", b"."
WARM_BYTES, LOOK_BYTES, LEAST_SPACE = 4 << 20, 64 << 10, 16 << 10


async def write(end, writer, least, timed):
    data, sent, look = bytes(end.size), 0, least
    while True:
        writer.write(data)
        await writer.drain()
        sent += end.size
        if sent < look:
            continue
        if not timed or end.tally.over(end.seconds):
            return sent
        look = sent + LOOK_BYTES


async def serve(end):
    done = asyncio.get_running_loop().create_future()

    async def one(reader, writer):
        try:
            await write(end, writer, WARM_BYTES, False)
            writer.write(WARM)
            await reader.readexactly(1)
            end.tally.start()
            end.tally.count = await write(end, writer, 1, True)
            writer.write(LAST)
            if await reader.read(1):
                raise ValueError("the other end wrote too much")
            end.tally.stop()
            writer.close()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)
            raise
    async with await asyncio.start_server(one, sock=end.listener, ssl=end.context):
        await done


async def read(reader, size):
    """To a byte that is not 0, which does not count."""
    total = 0
    while True:
        data = await reader.read(size)
        if not data:
            raise ValueError("the other end wrote too little")
        total += len(data)
        if data[-1]:
            return total - 1


async def connect(end):
    reader, writer = await asyncio.open_connection(*end.address, ssl=end.context, server_hostname="localhost")
    end.check(writer.get_extra_info("ssl_object"), False)
    size = max(end.size, LEAST_SPACE)
    await read(reader, size)
    end.tally.start()
    writer.write(COUNT)
    end.tally.count = await read(reader, size)
    end.tally.stop()
    writer.close()
    await writer.wait_closed()
