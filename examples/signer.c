/*
 * signer.c CERTIFICATE KEY PORT: sends back a line of one client, in a process that never has the
 * key. Another one reads it and signs.
 */
#include <cinch/cinch.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* One question; the answer is the signature, or nothing. */
typedef struct question {
    char digest[32]; /* "" with Ed25519 */
    int pss;
    size_t size;
    unsigned char message[16384];
} question;

static size_t sign(EVP_PKEY *key, const question *q, unsigned char *signature, size_t room)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY_CTX *pctx;
    const char *digest = q->digest[0] == 0 ? NULL : q->digest;
    int ok = EVP_DigestSignInit_ex(ctx, &pctx, digest, NULL, NULL, key, NULL) == 1 &&
             (!q->pss || (EVP_PKEY_CTX_set_rsa_padding(pctx, RSA_PKCS1_PSS_PADDING) == 1 &&
                          EVP_PKEY_CTX_set_rsa_pss_saltlen(pctx, RSA_PSS_SALTLEN_DIGEST) == 1)) &&
             EVP_DigestSign(ctx, signature, &room, q->message, q->size) == 1;

    EVP_MD_CTX_free(ctx);
    return ok ? room : 0;
}

/* The process that has the key. It ends when the other one does. */
static int keep_key(const char *path, int fd)
{
    FILE *file = fopen(path, "r");
    EVP_PKEY *key = file == NULL ? NULL : PEM_read_PrivateKey(file, NULL, NULL, NULL);
    unsigned char signature[1024];
    question q;

    while (key != NULL && recv(fd, &q, sizeof q, 0) == (ssize_t)sizeof q)
        if (send(fd, signature, sign(key, &q, signature, sizeof signature), 0) < 0)
            break;
    EVP_PKEY_free(key);
    if (file != NULL)
        fclose(file);
    return key == NULL;
}

/* The other process: this is called inside the handshake. */
static cinch_status ask(const cinch_signing *what, unsigned char *signature, size_t *size,
                        char *reason, size_t reason_size, void *arg)
{
    const int *fd = arg;
    question q = {.pss = strstr(what->scheme_name, "_pss_") != NULL, .size = what->message_size};

    if (what->message_size > sizeof q.message)
        return CINCH_FAILED;
    memcpy(q.message, what->message, what->message_size);
    snprintf(q.digest, sizeof q.digest, "%s", what->digest_name);
    ssize_t n = send(*fd, &q, sizeof q, MSG_NOSIGNAL) < 0 ? -1 : recv(*fd, signature, *size, 0);
    if (n <= 0) {
        snprintf(reason, reason_size, "the process with the key does not answer");
        return CINCH_FAILED;
    }
    *size = (size_t)n;
    return CINCH_OK;
}

static void greet(const char *path, const char *port, int *fd, cinch_error *err)
{
    static char pem[65536], line[4096];
    size_t n;
    FILE *file = fopen(path, "r");
    size_t size = file == NULL ? 0 : fread(pem, 1, sizeof pem, file);
    cinch_context *ctx = cinch_context_server(err);
    cinch_identity *identity = cinch_identity_signer(pem, size, ask, fd, err);

    cinch_context_identity(ctx, identity, err);
    cinch_listener *listener = cinch_listen(ctx, "localhost", port, err);
    if (listener != NULL) {
        printf("listening on %s\n", cinch_listener_address(listener, 0));
        fflush(stdout);
    }
    cinch_stream *s = cinch_listener_accept(listener, err);
    cinch_stream_deadline(s, 60000, err);
    if (cinch_stream_read(s, line, sizeof line, &n, err) == CINCH_OK)
        cinch_stream_write_all(s, line, n, err);
    cinch_stream_close_write(s, err);
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
    int ends[2];

    if (argc < 4) {
        fprintf(stderr, "usage: signer CERTIFICATE KEY PORT\n");
        return 2;
    }
    if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) != 0)
        return 1;
    pid_t keeper = fork();
    if (keeper < 0)
        return 1;
    close(ends[keeper == 0 ? 0 : 1]);
    if (keeper == 0)
        return keep_key(argv[2], ends[1]);
    greet(argv[1], argv[3], &ends[0], &err);
    return cinch_error_report(&err, stderr);
}
