/* channel_binding.c HOST PORT CA: what an authentication inside the connection can be tied to. */
#include <cinch/cinch.h>
#include <stdio.h>

static void show(const char *name, const cinch_conn *conn, cinch_binding kind)
{
    cinch_error err = CINCH_ERROR_INIT;
    unsigned char bytes[64];
    size_t n;

    printf("%s: ", name);
    if (cinch_conn_binding(conn, kind, bytes, sizeof bytes, &n, &err) != CINCH_OK) {
        printf("none, %s\n", err.what);
        return;
    }
    for (size_t i = 0; i < n; i++)
        printf("%02x", bytes[i]);
    printf("\n");
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 4) {
        fprintf(stderr, "usage: channel_binding HOST PORT CA\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    cinch_context_trust_file(ctx, argv[3], &err);
    cinch_context_insecure_key_log(ctx, "", &err); /* for Wireshark, if SSLKEYLOGFILE is set */
    cinch_stream *s = cinch_dial(ctx, argv[1], argv[2], &err);
    if (s != NULL) {
        show("tls-unique", cinch_stream_conn(s), CINCH_BINDING_TLS_UNIQUE);
        show("tls-server-end-point", cinch_stream_conn(s), CINCH_BINDING_SERVER_END_POINT);
        show("tls-exporter", cinch_stream_conn(s), CINCH_BINDING_EXPORTER);
    }
    cinch_stream_close_write(s, &err);
    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
