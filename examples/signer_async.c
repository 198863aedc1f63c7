/*
 * signer_async.c CERTIFICATE KEY PORT: sends back a line of one client. One thread has the key and
 * signs, another one has the connection and could have many: it never waits for a signature alone.
 */
#include <cinch/cinch.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What goes through the pipe to the one who signs. */
typedef struct job {
    const cinch_signing *what; /* valid until the request is answered */
    cinch_signature_request *request;
} job;

typedef struct keeper {
    EVP_PKEY *key;
    int jobs[2]; /* the pipe that they come through */
    int done[2]; /* a byte for each that is answered */
} keeper;

static void sign(EVP_PKEY *key, const job *j)
{
    unsigned char signature[1024];
    size_t size = sizeof signature;
    const cinch_signing *what = j->what;
    const char *digest = what->digest_name[0] == 0 ? NULL : what->digest_name;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    int ok = EVP_DigestSignInit_ex(ctx, &pctx, digest, NULL, NULL, key, NULL) == 1 &&
             (strstr(what->scheme_name, "_pss_") == NULL ||
              (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
               EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
             EVP_DigestSign(ctx, signature, &size, what->message, what->message_size) == 1;

    EVP_MD_CTX_free(ctx);
    if (ok)
        cinch_signature_answer(j->request, signature, size, NULL);
    else
        cinch_signature_refuse(j->request, "the key cannot sign this");
}

/* The thread that has the key. It ends with the pipe. */
static void *keep_key(void *arg)
{
    keeper *k = arg;
    job j;

    while (read(k->jobs[0], &j, sizeof j) == (ssize_t)sizeof j) {
        sign(k->key, &j);
        if (write(k->done[1], "", 1) != 1)
            break;
    }
    return NULL;
}

/* Called inside of a handshake: it passes the job on, and the handshake pauses. */
static void ask(const cinch_signing *what, cinch_signature_request *request, void *arg)
{
    const keeper *k = arg;
    job j = {what, request};

    if (write(k->jobs[1], &j, sizeof j) != (ssize_t)sizeof j)
        cinch_signature_refuse(request, "nobody signs any more");
}

/* Waits for what STATUS says. A server has all its connections in one poll(). */
static void wait_for(cinch_stream *s, const keeper *k, cinch_status status)
{
    char byte;
    struct pollfd fds[2] = {
        {.fd = cinch_stream_fd(s), .events = status == CINCH_WANT_WRITE ? POLLOUT : POLLIN},
        {.fd = k->done[0], .events = POLLIN}};

    if (status == CINCH_WANT_SIGNATURE)
        fds[0].fd = -1; /* the client may have sent more already */
    if (poll(fds, 2, -1) > 0 && fds[1].revents != 0 && read(k->done[0], &byte, 1) == 1)
        printf("a signature is there\n");
}

static void serve(cinch_stream *s, const keeper *k, cinch_error *err)
{
    static char line[4096];
    size_t n = 0;
    cinch_status status;

    cinch_stream_nonblocking(s, 1, err);
    while ((status = cinch_stream_read(s, line, sizeof line, &n, err)) == CINCH_WANT_READ ||
           status == CINCH_WANT_WRITE || status == CINCH_WANT_SIGNATURE)
        wait_for(s, k, status);
    cinch_stream_nonblocking(s, 0, err);
    cinch_stream_write_all(s, line, n, err);
    cinch_stream_close_write(s, err);
}

static void greet(const char *path, const char *port, keeper *k, cinch_error *err)
{
    static char pem[65536];
    FILE *file = fopen(path, "r");
    size_t size = file == NULL ? 0 : fread(pem, 1, sizeof pem, file);
    cinch_context *ctx = cinch_context_server(err);
    cinch_identity *identity = cinch_identity_signer_async(pem, size, ask, k, err);

    cinch_context_identity(ctx, identity, err);
    cinch_listener *listener = cinch_listen(ctx, "localhost", port, err);
    if (listener != NULL) {
        printf("listening on %s\n", cinch_listener_address(listener, 0));
        fflush(stdout);
    }
    cinch_stream *s = cinch_listener_accept(listener, err);
    serve(s, k, err);
    cinch_stream_free(s);
    cinch_listener_free(listener);
    cinch_identity_free(identity);
    cinch_context_free(ctx);
    if (file != NULL)
        fclose(file);
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    keeper k = {NULL, {-1, -1}, {-1, -1}};
    pthread_t thread;

    if (argc < 4) {
        fprintf(stderr, "usage: signer_async CERTIFICATE KEY PORT\n");
        return 2;
    }
    FILE *file = fopen(argv[2], "r");
    k.key = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
    if (file != NULL)
        fclose(file);
    if (pipe(k.jobs) != 0 || pipe(k.done) != 0 || pthread_create(&thread, NULL, keep_key, &k) != 0)
        return 1;
    greet(argv[1], argv[3], &k, &err);
    close(k.jobs[1]);
    pthread_join(thread, NULL);
    EVP_PKEY_free(k.key);
    return cinch_error_report(&err, stderr);
}
