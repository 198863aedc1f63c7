/* serve_watch.c: files named on the command line that are renewed while the server runs. */
#include "identity.h"
#include "json.h"
#include "serve.h"

#include <openssl/crypto.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
    PASSWORD_MOST = 1024
};

/* One identity and its password. */
typedef struct owned {
    cli_identity identity;
    pthread_t main; /* on which somebody may be asked to type; later on nobody sits there */
    int length;     /* of what was typed then; -1: nothing */
    char typed[PASSWORD_MOST];
} owned;

struct serve_watch {
    cinch_watch *watch;
    bool json;
    size_t count;
    owned *identities;
};

/* One call of stdio per line: it locks, so that threads do not mix their lines. */
static void tell(const char *path, cinch_status status, const cinch_error *err, void *arg)
{
    const serve_watch *me = arg;

    if (me->json && status == CINCH_OK)
        cli_json_print(json_pack("{s:s, s:o}", "event", "reloaded", "file", cli_json_text(path)),
                       stdout);
    else if (me->json)
        cli_json_print(json_pack("{s:s, s:o, s:o}", "event", "refused", "file", cli_json_text(path),
                                 "error", cli_json_error(err)),
                       stdout);
    else if (status == CINCH_OK)
        printf("reloaded %s\n", path);
    else
        printf("kept the old %s: %s (%s)\n", path, err->what, cinch_cause_name(err->cause));
    fflush(stdout);
}

/* The terminal is asked once. A password file is read every time: it may be renewed, too. */
static int ask(char *buf, size_t size, const char *what, void *arg)
{
    owned *me = arg;
    int length;

    if (me->identity.password_file != NULL)
        return cli_password(buf, size, what, &me->identity);
    if (!pthread_equal(me->main, pthread_self())) {
        if (me->length < 0 || (size_t)me->length > size)
            return -1;
        memcpy(buf, me->typed, (size_t)me->length);
        return me->length;
    }
    length = cli_password(buf, size, what, &me->identity);
    if (length >= 0 && length <= PASSWORD_MOST) {
        memcpy(me->typed, buf, (size_t)length);
        me->length = length;
    }
    return length;
}

/* A pipe, as a shell makes one of <(command), gives its content once. */
static bool is_file(const char *path)
{
    struct stat st;

    return path == NULL || stat(path, &st) != 0 || S_ISREG(st.st_mode);
}

/* Of a pipe: given once. */
static void use_identity(cinch_context *ctx, const cinch_identity_source *source, bool first,
                         cinch_error *err)
{
    cinch_identity *identity = cinch_identity_load(source, err);

    if (first)
        (void)cinch_context_identity(ctx, identity, err);
    else
        (void)cinch_context_add_identity(ctx, identity, err);
    cinch_identity_free(identity);
}

static void watch_identity(serve_watch *me, owned *mine, cinch_context *ctx, cinch_error *err)
{
    cinch_identity_source source = {.ask = ask, .ask_arg = mine};
    bool first = mine == me->identities;

    if (mine->identity.key_uri != NULL) {
        (void)cli_identity_use(ctx, &mine->identity, err);
        return;
    }
    cli_identity_source(&mine->identity, &source);
    if (!is_file(mine->identity.cert_file) || !is_file(mine->identity.key_file))
        use_identity(ctx, &source, first, err);
    else if (first)
        (void)cinch_watch_identity(me->watch, ctx, &source, err);
    else
        (void)cinch_watch_add_identity(me->watch, ctx, &source, err);
}

serve_watch *serve_watch_new(cinch_context *ctx, const cli_identity *identities, size_t count,
                             const char *client_ca, const char *crl, bool json, cinch_error *err)
{
    serve_watch *me = cli_alloc(sizeof(*me));

    me->json = json;
    me->count = count;
    me->identities = cli_alloc((count + 1) * sizeof(*me->identities));
    me->watch = cinch_watch_new(tell, me, err);
    for (size_t i = 0; i < count; i++) {
        me->identities[i].identity = identities[i];
        me->identities[i].length = -1;
        me->identities[i].main = pthread_self();
        watch_identity(me, &me->identities[i], ctx, err);
    }
    /* A directory, or a pipe, is read without being told about. */
    if (client_ca != NULL && is_file(client_ca))
        (void)cinch_watch_trust_file(me->watch, client_ca, err);
    if (crl != NULL && is_file(crl))
        (void)cinch_watch_crl_file(me->watch, crl, err);
    return me;
}

void serve_watch_free(serve_watch *me)
{
    if (me == NULL)
        return;
    cinch_watch_free(me->watch);
    OPENSSL_cleanse(me->identities, me->count * sizeof(*me->identities));
    free(me->identities);
    free(me);
}
