/* server_hello.c: what a ServerHello decides (RFC 8446, 4.1.3). */
#include "wire/messages.h"

#include <openssl/tls1.h>
#include <string.h>

/* SHA-256 of "HelloRetryRequest": a ServerHello with this as its random is one. */
static const unsigned char retry_random[32] = {
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91,
    0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
};

/* The end of the random of a server that could have spoken a newer version. */
static const unsigned char downgrade[7] = {'D', 'O', 'W', 'N', 'G', 'R', 'D'};

static void read_extensions(cinch_server_hello *hello, const unsigned char *m, size_t size,
                            size_t at)
{
    while (size >= at + 4) {
        int type = m[at] << 8 | m[at + 1];
        size_t length = (size_t)(m[at + 2] << 8 | m[at + 3]);

        at += 4;
        if (size < at + length)
            return;
        if (type == TLSEXT_TYPE_supported_versions && length == 2)
            hello->version = m[at] << 8 | m[at + 1];
        at += length;
    }
}

int cinch_server_hello_read(cinch_server_hello *hello, const unsigned char *message, size_t size)
{
    const unsigned char *m = message;
    size_t at = 4 + 2 + 32;

    *hello = (cinch_server_hello){0};
    if (size < at + 1 || m[0] != 2 || size < at + 1 + m[at] + 3)
        return 0;
    hello->version = m[4] << 8 | m[5];
    hello->is_retry = memcmp(m + 6, retry_random, sizeof retry_random) == 0;
    if (memcmp(m + 6 + 24, downgrade, sizeof downgrade) == 0 && m[6 + 31] <= 1)
        hello->sentinel = m[6 + 31] + 1u;
    at += 1 + (size_t)m[at];
    hello->suite = (unsigned)(m[at] << 8 | m[at + 1]);
    read_extensions(hello, m, size, at + 3 + 2);
    return 1;
}
