/* wire.c HOST PORT [CA]: what anybody on the path sees of a handshake, and what stays hidden. */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

static void see(const cinch_wire_event *event, void *arg)
{
    (void)arg;
    printf("%s %s%s%s%s%s\n", event->sender == CINCH_WIRE_CLIENT ? "->" : "<-",
           event->kind == CINCH_WIRE_MESSAGE ? "    " : "", event->name,
           event->text[0] != 0 ? ": " : "", event->text, event->is_protected ? ", protected" : "");
    /* Fields are the parts of it, down to single numbers; here the names in a certificate. */
    for (size_t i = 0; i < event->field_count; i++)
        if (strcmp(event->fields[i].name, "names") == 0)
            printf("        a certificate for %s\n", event->fields[i].value);
}

int main(int argc, char **argv)
{
    const cinch_dial_options options = {.no_handshake = 1}; /* who looks begins before it */
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 3) {
        fprintf(stderr, "usage: wire HOST PORT [CA]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);
    cinch_stream *s = cinch_dial_with(ctx, argv[1], argv[2], &options, &err);
    cinch_stream_wire(s, see, NULL, 0, &err);
    if (cinch_stream_handshake(s, &err) == CINCH_OK)
        cinch_stream_close_write(s, &err);

    cinch_stream_free(s);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
