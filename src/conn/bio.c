#include "conn/conn.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <stdatomic.h>
#include <string.h>

static int bio_read(BIO *bio, char *out, size_t size, size_t *n)
{
    cinch_conn *conn = BIO_get_data(bio);
    size_t used = cinch_buffer_used(&conn->in);

    BIO_clear_retry_flags(bio);
    *n = 0;
    if (used == 0) {
        if (!conn->recv_ended)
            BIO_set_retry_read(bio);
        else if (conn->tap != NULL)
            cinch_tap_end(conn->tap);
        return 0;
    }
    if (size > used)
        size = used;
    memcpy(out, cinch_buffer_bytes(&conn->in), size);
    if (conn->tap != NULL)
        cinch_tap_bytes(conn->tap, 0, out, size);
    cinch_buffer_consume(&conn->in, size);
    *n = size;
    return 1;
}

static int bio_write(BIO *bio, const char *in, size_t size, size_t *n)
{
    cinch_conn *conn = BIO_get_data(bio);

    BIO_clear_retry_flags(bio);
    *n = 0;
    if (!cinch_buffer_append(&conn->out, in, size)) {
        /* OpenSSL 3.5 takes a write of nothing for done: not 0, and remembered besides. */
        conn->lost_bytes = 1;
        ERR_raise(ERR_LIB_BIO, ERR_R_MALLOC_FAILURE);
        return -1;
    }
    if (conn->tap != NULL)
        cinch_tap_bytes(conn->tap, 1, in, size);
    *n = size;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    cinch_conn *conn = BIO_get_data(bio);

    (void)number;
    (void)pointer;
    switch (command) {
    case BIO_CTRL_FLUSH:
        return 1;
    case BIO_CTRL_EOF:
        return conn->recv_ended && cinch_buffer_used(&conn->in) == 0;
    case BIO_CTRL_PENDING:
        return (long)cinch_buffer_used(&conn->in);
    case BIO_CTRL_WPENDING:
        return (long)cinch_buffer_used(&conn->out);
    default:
        return 0;
    }
}

static BIO_METHOD *make_method(void)
{
    BIO_METHOD *fresh =
        BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cinch connection");

    if (fresh == NULL || (BIO_meth_set_read_ex(fresh, bio_read) == 1 &&
                          BIO_meth_set_write_ex(fresh, bio_write) == 1 &&
                          BIO_meth_set_ctrl(fresh, bio_control) == 1))
        return fresh;
    BIO_meth_free(fresh);
    return NULL;
}

/* Not pthread_once(): what failed for want of memory is tried again by the next connection. */
static const BIO_METHOD *method(void)
{
    static _Atomic(BIO_METHOD *) known;
    BIO_METHOD *found = atomic_load(&known), *fresh;

    if (found != NULL)
        return found;
    fresh = make_method();
    /* Of two threads that are here at once one keeps its own, and the other takes that. */
    if (fresh != NULL && atomic_compare_exchange_strong(&known, &found, fresh))
        return fresh;
    BIO_meth_free(fresh);
    return found;
}

BIO *cinch_bio_new(cinch_conn *conn)
{
    const BIO_METHOD *known = method();
    BIO *bio = known == NULL ? NULL : BIO_new(known);
    if (bio != NULL) {
        BIO_set_data(bio, conn);
        BIO_set_init(bio, 1);
    }
    return bio;
}
