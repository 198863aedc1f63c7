/*
 * The dialogue before TLS. The first byte chooses the protocol, the second the side. As a client: the
 * rest is what the server says, in pieces whose sizes it tells itself. The machine never reads behind a
 * consent, never says a line that it was not to say, and gives the same answer for every cutting. As a
 * server: what is behind a command is never passed over, and a tag brings no line of its own.
 */
#include <cinch/starttls.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds)
{
    if (!holds)
        abort();
}

/* What the client has said, and where it was then. */
typedef struct outcome {
    cinch_status status;
    cinch_cause cause;
    unsigned said;
} outcome;

static cinch_status say(cinch_upgrade *upgrade, unsigned *said, cinch_error *err)
{
    const void *bytes = NULL;
    size_t size = 0;

    must(cinch_upgrade_send_bytes(upgrade, &bytes, &size, err) == CINCH_OK);
    must(size > 0 && size < 1024);
    for (size_t i = 0; i < size; i++)
        *said = *said * 31 + ((const unsigned char *)bytes)[i];
    return cinch_upgrade_send_consume(upgrade, size, err);
}

/*
 * DATA is what the server says: each of its turns ends with a byte 0xfe, which is not said. A turn comes
 * whole, or byte by byte.
 */
static outcome play(cinch_starttls_protocol protocol, const uint8_t *data, size_t size, int single)
{
    static const cinch_starttls_options options = {.client_name = "a.test", .domain = "b.test"};
    cinch_error err = CINCH_ERROR_INIT;
    outcome result = {.said = 0};
    cinch_upgrade *upgrade = cinch_upgrade_new(protocol, &options, &err);

    must(upgrade != NULL);
    cinch_status status = cinch_upgrade_state(upgrade, &err);
    for (size_t i = 0; i < size && status < CINCH_TRUNCATED;) {
        const uint8_t *mark = memchr(data + i, 0xfe, size - i);
        size_t turn = mark != NULL ? (size_t)(mark - data) - i : size - i;

        if (status == CINCH_WANT_WRITE)
            status = say(upgrade, &result.said, &err);
        for (size_t k = 0; k < turn && status < CINCH_TRUNCATED;) {
            size_t piece = single ? 1 : turn;

            /* Nothing may come when TLS, or the client, is next. */
            int out_of_turn = status == CINCH_OK || status == CINCH_WANT_WRITE;
            status = cinch_upgrade_receive(upgrade, data + i + k, piece, &err);
            must(!out_of_turn || err.cause == CINCH_CAUSE_STARTTLS_INJECTION);
            k += piece;
        }
        i += turn + (mark != NULL);
    }
    if (status == CINCH_WANT_READ)
        status = cinch_upgrade_end(upgrade, &err);
    must((status >= CINCH_TRUNCATED) == cinch_error_is_set(&err));
    must(!cinch_error_is_set(&err) || (err.what[0] != 0 && err.remedy[0] != 0));
    result.status = status;
    result.cause = err.cause;
    cinch_upgrade_free(upgrade);
    return result;
}

static void serve(cinch_starttls_protocol protocol, const uint8_t *data, size_t size)
{
    char tag[80];
    unsigned char buf[CINCH_STARTTLS_CONSENT + 1];
    size_t n = 1;
    size_t tag_size = size < sizeof tag ? size : sizeof tag - 1;
    cinch_error err = CINCH_ERROR_INIT;

    memcpy(tag, data, tag_size);
    tag[tag_size] = 0;
    cinch_starttls_options options = {.tag = tag, .message_id = 0};
    for (size_t i = 0; i < size && i < 4; i++)
        options.message_id = (int)((unsigned)options.message_id << 8 | data[i]);
    buf[CINCH_STARTTLS_CONSENT] = 0xa5;
    cinch_status status = cinch_starttls_consent(protocol, NULL, 0, &options, buf, &n, &err);
    must(buf[CINCH_STARTTLS_CONSENT] == 0xa5 && n < CINCH_STARTTLS_CONSENT);
    must(status == CINCH_OK || n == 0);
    if (status == CINCH_OK && protocol == CINCH_STARTTLS_IMAP)
        must(n > 2 && memchr(buf, '\r', n) == buf + n - 2 && memchr(buf, '\n', n) == buf + n - 1);
    cinch_error_clear(&err);
    if (size > 0) {
        must(cinch_starttls_consent(protocol, data, size, &options, buf, &n, &err) == CINCH_FAILED);
        must(err.cause == CINCH_CAUSE_STARTTLS_INJECTION && n == 0);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    cinch_starttls_protocol protocol =
        (cinch_starttls_protocol)(1 + data[0] % (CINCH_STARTTLS_COUNT - 1));
    if (data[1] & 1) {
        serve(protocol, data + 2, size - 2);
        return 0;
    }
    outcome whole = play(protocol, data + 2, size - 2, 0);
    outcome single = play(protocol, data + 2, size - 2, 1);
    must(whole.status == single.status && whole.cause == single.cause && whole.said == single.said);
    return 0;
}
