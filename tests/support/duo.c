#include "duo.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void need(bool ok, const cinch_error *err)
{
    if (ok)
        return;
    (void)fprintf(stderr, "duo:\n");
    (void)cinch_error_report(err, stderr);
    abort();
}

void duo_identity(const duo *d, cinch_context *ctx, const pki_cert *leaf)
{
    cinch_error err = CINCH_ERROR_INIT;
    char *key = pki_pem_key(leaf, NULL);
    char *cert = pki_pem_cert(leaf);
    char *issuer = pki_pem_cert(d->family->intermediate);
    char *all = pki_pem_concat(key, cert, issuer, (char *)NULL);
    cinch_identity *identity = cinch_identity_pem(all, strlen(all), NULL, &err);

    need(cinch_context_identity(ctx, identity, &err) == CINCH_OK, &err);
    cinch_identity_free(identity);
    free(all);
    free(issuer);
    free(cert);
    free(key);
}

void duo_open(duo *d)
{
    cinch_error err = CINCH_ERROR_INIT;

    d->family = pki_family_new();
    d->client = cinch_context_client(&err);
    d->server = cinch_context_server(&err);
    char *root = pki_pem_cert(d->family->root);
    need(cinch_context_trust_pem(d->client, root, strlen(root), &err) == CINCH_OK, &err);
    free(root);
    duo_identity(d, d->server, d->family->good);
}

void duo_close(duo *d)
{
    cinch_context_free(d->client);
    cinch_context_free(d->server);
    pki_family_free(d->family);
}

static void *play(void *arg)
{
    duo_player *player = arg;
    cinch_stream *stream =
        cinch_stream_wrap_adopt(player->ctx, player->fd, player->host, &player->err);

    if (stream != NULL)
        player->part(stream, player->arg, &player->err);
    cinch_stream_free(stream);
    return NULL;
}

void duo_play(duo_player *player, cinch_context *ctx, const char *host, int fd, duo_part part,
              void *arg)
{
    sigset_t alarm, before;

    *player = (duo_player){.ctx = ctx, .host = host, .fd = fd, .part = part, .arg = arg};
    /* The signals of net_interruptions() are for the test's own thread. */
    sigemptyset(&alarm);
    sigaddset(&alarm, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarm, &before);
    need(pthread_create(&player->thread, NULL, play, player) == 0, &player->err);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void duo_wait(duo_player *player)
{
    need(pthread_join(player->thread, NULL) == 0, &player->err);
}

void duo_echo(cinch_stream *stream, void *arg, cinch_error *err)
{
    char buf[8192];
    size_t n;

    (void)arg;
    while (cinch_stream_read(stream, buf, sizeof buf, &n, err) == CINCH_OK)
        if (cinch_stream_write_all(stream, buf, n, err) != CINCH_OK)
            return;
    (void)cinch_stream_close_write(stream, err);
}

void duo_swallow(cinch_stream *stream, void *arg, cinch_error *err)
{
    char buf[8192];
    size_t n;

    while (cinch_stream_read(stream, buf, sizeof buf, &n, err) == CINCH_OK)
        if (arg != NULL)
            *(size_t *)arg += n;
}

void duo_only_handshake(cinch_stream *stream, void *arg, cinch_error *err)
{
    (void)arg;
    if (cinch_stream_handshake(stream, err) == CINCH_OK)
        (void)cinch_stream_close_write(stream, err);
}

void duo_say(cinch_stream *stream, void *arg, cinch_error *err)
{
    if (cinch_stream_write_all(stream, arg, strlen(arg), err) == CINCH_OK)
        (void)cinch_stream_close_write(stream, err);
}
