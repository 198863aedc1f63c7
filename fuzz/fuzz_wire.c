/*
 * Somebody on the path: two real ends talk, and the input says which bytes between them are changed,
 * left out, doubled or cut off, so that every state is reached. Whatever happens, an end that reads
 * data reads a beginning of what the other wrote.
 */
#include "conn.h"

/* The input, three bytes for each deed: where, counted from the last, and what. */
typedef struct script {
    const uint8_t *at;
    size_t left;
    size_t distance; /* bytes until the next deed */
    uint8_t deed;
} script;

static void next_deed(script *s)
{
    if (s->left < 3) {
        s->distance = SIZE_MAX;
        return;
    }
    s->distance = (size_t)(s->at[0] << 8 | s->at[1]) % 4096;
    s->deed = s->at[2];
    s->at += 3;
    s->left -= 3;
}

/* One byte on its way to END; 0 when the wire is cut here. */
static int pass(script *s, cinch_conn *end, unsigned char byte)
{
    unsigned char out[2] = {byte, byte};
    size_t count = 1, room;
    void *space;

    if (s->distance == 0) {
        if (s->deed == 255)
            return 0;
        if (s->deed >= 240)
            count = 2;
        else if (s->deed >= 224)
            count = 0;
        else
            out[0] ^= s->deed;
        next_deed(s);
    } else {
        s->distance--;
    }
    for (size_t i = 0; i < count; i++) {
        must(cinch_conn_recv_space(end, &space, &room, NULL) == CINCH_OK);
        if (room == 0)
            return 1;
        *(unsigned char *)space = out[i];
        must(cinch_conn_recv_commit(end, 1, NULL) == CINCH_OK);
    }
    return 1;
}

static size_t carry(script *s, cinch_conn *from, cinch_conn *to)
{
    const void *bytes;
    size_t size;

    must(cinch_conn_send_bytes(from, &bytes, &size, NULL) == CINCH_OK);
    for (size_t i = 0; i < size; i++)
        if (!pass(s, to, ((const unsigned char *)bytes)[i])) {
            must(cinch_conn_recv_end(to, NULL) == CINCH_OK);
            break;
        }
    must(cinch_conn_send_consume(from, size, NULL) == CINCH_OK);
    return size;
}

static const char said[] = "what one end writes is what the other reads, or nothing";

/* One step at END: says its piece once, reads and compares. */
static void step(pair_end *end, size_t *written, size_t *got)
{
    char buf[32];
    size_t n;

    if (end->status >= CINCH_TRUNCATED)
        return;
    end->status = cinch_conn_handshake(end->conn, &end->err);
    if (end->status == CINCH_OK && *written < sizeof said) {
        end->status =
            cinch_conn_write(end->conn, said + *written, sizeof said - *written, &n, &end->err);
        *written += n;
    }
    while (end->status == CINCH_OK) {
        end->status = cinch_conn_read(end->conn, buf, sizeof buf, &n, &end->err);
        must(n <= sizeof said - *got && memcmp(buf, said + *got, n) == 0);
        *got += n;
    }
    if (end->status == CINCH_WANT_READ)
        end->status = CINCH_OK;
    check(end->conn, end->status, &end->err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script s = {.at = data, .left = size};
    size_t written[2] = {0, 0}, got[2] = {0, 0};
    pair p = {0};

    pair_start(&p, contexts()->client, contexts()->server, "localhost");
    next_deed(&s);
    for (int i = 0; i < 40; i++) {
        step(&p.client, &written[0], &got[0]);
        step(&p.server, &written[1], &got[1]);
        if (carry(&s, p.client.conn, p.server.conn) + carry(&s, p.server.conn, p.client.conn) == 0)
            break;
    }
    /* Without a deed everything arrives. */
    if (size < 3)
        must(got[0] == sizeof said && got[1] == sizeof said);
    pair_stop(&p);
    return 0;
}
