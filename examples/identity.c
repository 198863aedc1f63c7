/* identity.c CERTIFICATE KEY [PASSWORD-FILE]: is this an identity that a server could use? */
#include <cinch/cinch.h>
#include <stdio.h>
#include <string.h>

/* The password is the first line of a file, so that no command line shows it. */
static int read_password(char *buf, size_t size, const char *what, void *arg)
{
    FILE *file = arg == NULL ? NULL : fopen(arg, "r");
    char *line = file == NULL ? NULL : fgets(buf, (int)size, file);

    if (file != NULL)
        fclose(file);
    if (line == NULL) {
        fprintf(stderr, "no password for %s\n", what);
        return -1;
    }
    return (int)strcspn(line, "\n");
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 3) {
        fprintf(stderr, "usage: identity CERTIFICATE KEY [PASSWORD-FILE]\n");
        return 2;
    }
    cinch_identity_source source = {
        .file = argv[1], .key_file = argv[2], .ask = read_password, .ask_arg = argv[3]};
    cinch_context *ctx = cinch_context_server(&err);
    cinch_identity *identity = cinch_identity_load(&source, &err);
    cinch_context_identity(ctx, identity, &err); /* is it strong enough for the policy? */

    const cinch_certificate *c;
    for (size_t depth = 0; (c = cinch_identity_certificate(identity, depth)) != NULL; depth++)
        printf("%zu %s\n", depth, c->subject);

    cinch_identity_free(identity); /* the context keeps its own share */
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
