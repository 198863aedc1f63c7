/*
 * curl_reuse ANCHOR OTHER-ANCHOR PORT: what libcurl keeps (connections, sessions, options) with contexts,
 * on a server whose certificate is for localhost and leads to ANCHOR. Prints each check that fails.
 */
#include <cinch/cinch.h>
#include <cinch/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures;
static char url[64], bare[64], by_address[64];

#define CHECK(what)                                                                                \
    do {                                                                                           \
        if (!(what)) {                                                                             \
            failures++;                                                                            \
            printf("line %d: %s\n", __LINE__, #what);                                              \
        }                                                                                          \
    } while (0)

typedef struct answer {
    char text[256];
    size_t size;
} answer;

static size_t take(char *data, size_t size, size_t count, void *arg)
{
    answer *a = arg;
    size_t n = size * count, room = sizeof a->text - 1 - a->size;

    memcpy(a->text + a->size, data, n < room ? n : room);
    a->size += n < room ? n : room;
    a->text[a->size] = 0;
    return n;
}

static cinch_context *trusting(const char *anchor)
{
    cinch_error err = CINCH_ERROR_INIT;
    cinch_context *ctx = cinch_context_client(&err);

    (void)cinch_context_trust_file(ctx, anchor, &err);
    CHECK(!cinch_error_is_set(&err));
    return ctx;
}

static CURL *handle(answer *a)
{
    CURL *curl = curl_easy_init();

    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, a);
    return curl;
}

/* Performs, and gives the cause; *CONNECTED how many connections were made for it. */
static cinch_cause perform(CURL *curl, cinch_context *ctx, answer *a, long *connected)
{
    cinch_error err = CINCH_ERROR_INIT;

    *a = (answer){.size = 0};
    (void)cinch_curl_perform(curl, ctx, &err);
    curl_easy_getinfo(curl, CURLINFO_NUM_CONNECTS, connected);
    return err.cause;
}

/* One connection for equal settings, another one for others; and no session of theirs. */
static void check_connections(cinch_context *right, cinch_context *wrong, const char *anchor)
{
    answer a;
    long connected;
    CURL *curl = handle(&a);
    cinch_context *same = trusting(anchor);

    CHECK(perform(curl, right, &a, &connected) == CINCH_CAUSE_NONE && connected == 1);
    CHECK(strstr(a.text, "TLSv1.3 . HTTP/2.0") != NULL);
    CHECK(perform(curl, right, &a, &connected) == CINCH_CAUSE_NONE && connected == 0);
    CHECK(perform(curl, same, &a, &connected) == CINCH_CAUSE_NONE && connected == 0);
    CHECK(perform(curl, wrong, &a, &connected) == CINCH_CAUSE_UNKNOWN_ISSUER);
    CHECK(cinch_context_policy_named(same, "modern", NULL) == CINCH_OK);
    CHECK(perform(curl, same, &a, &connected) == CINCH_CAUSE_NONE && connected == 1);
    CHECK(strstr(a.text, "TLSv1.3 . ") != NULL);
    /* A connection of libcurl's own, without verification, is not used either. */
    curl_easy_reset(curl);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &a);
    CHECK(curl_easy_perform(curl) == CURLE_OK);
    CHECK(perform(curl, wrong, &a, &connected) == CINCH_CAUSE_UNKNOWN_ISSUER);
    curl_easy_cleanup(curl);
    cinch_context_free(same);
}

/* libcurl's sessions are used, by the context that made them. */
static void check_sessions(cinch_context *right, cinch_context *wrong)
{
    answer a;
    long connected;
    CURL *curl = handle(&a);

    /* With HTTP/2 libcurl ends the connection before the server is done with it, which costs the session. */
    curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    curl_easy_setopt(curl, CURLOPT_FORBID_REUSE, 1L);
    CHECK(perform(curl, right, &a, &connected) == CINCH_CAUSE_NONE);
    CHECK(perform(curl, right, &a, &connected) == CINCH_CAUSE_NONE && connected == 1);
    CHECK(strstr(a.text, "TLSv1.3 r ") != NULL);
    CHECK(perform(curl, wrong, &a, &connected) == CINCH_CAUSE_UNKNOWN_ISSUER);
    curl_easy_cleanup(curl);
}

static void check_copies(cinch_context *right, cinch_context *wrong)
{
    cinch_error err = CINCH_ERROR_INIT;
    answer a = {.size = 0};
    CURL *curl = handle(&a);

    CHECK(cinch_curl_use(curl, wrong, &err) == CINCH_OK);
    CURL *copy = curl_easy_duphandle(curl);
    CHECK(cinch_curl_result(copy, curl_easy_perform(copy), &err) == CINCH_FAILED);
    CHECK(err.cause == CINCH_CAUSE_UNKNOWN_ISSUER);
    /* What one of them has to say is not said by the other. */
    cinch_error_clear(&err);
    CHECK(cinch_curl_result(curl, CURLE_SSL_CONNECT_ERROR, &err) == CINCH_FAILED);
    CHECK(err.cause == CINCH_CAUSE_HANDSHAKE_REFUSED);
    cinch_error_clear(&err);
    CHECK(cinch_curl_use(copy, right, &err) == CINCH_OK);
    CHECK(cinch_curl_result(copy, curl_easy_perform(copy), &err) == CINCH_OK);
    curl_easy_cleanup(copy);
    curl_easy_cleanup(curl);
}

#define TRANSFERS 6

/* Several at once, in one cache of connections: right, wrong, right, ... */
static void check_multi(cinch_context *right, cinch_context *wrong)
{
    answer answers[TRANSFERS] = {{.size = 0}};
    CURL *curls[TRANSFERS];
    CURLM *multi = curl_multi_init();
    int running = 1, left, done = 0;

    for (size_t i = 0; i < TRANSFERS; i++) {
        curls[i] = handle(&answers[i]);
        CHECK(cinch_curl_use(curls[i], i % 2 == 0 ? right : wrong, NULL) == CINCH_OK);
        CHECK(curl_multi_add_handle(multi, curls[i]) == CURLM_OK);
    }
    while (running > 0) {
        CHECK(curl_multi_perform(multi, &running) == CURLM_OK);
        CHECK(curl_multi_poll(multi, NULL, 0, 1000, NULL) == CURLM_OK);
    }
    for (CURLMsg *m; (m = curl_multi_info_read(multi, &left)) != NULL; done++) {
        cinch_error err = CINCH_ERROR_INIT;
        size_t i = 0;

        while (i < TRANSFERS && curls[i] != m->easy_handle)
            i++;
        (void)cinch_curl_result(m->easy_handle, m->data.result, &err);
        CHECK(err.cause == (i % 2 == 0 ? CINCH_CAUSE_NONE : CINCH_CAUSE_UNKNOWN_ISSUER));
    }
    CHECK(done == TRANSFERS);
    for (size_t i = 0; i < TRANSFERS; i++) {
        curl_multi_remove_handle(multi, curls[i]);
        curl_easy_cleanup(curls[i]);
    }
    curl_multi_cleanup(multi);
}

static void check_addresses(cinch_context *right)
{
    answer a;
    long connected;
    CURL *curl = handle(&a);

    curl_easy_setopt(curl, CURLOPT_URL, by_address);
    CHECK(perform(curl, right, &a, &connected) == CINCH_CAUSE_NONE);
    CHECK(strstr(a.text, "TLSv1.3") != NULL);
    /* "localhost:1234/tls" is HTTP for libcurl. */
    curl_easy_setopt(curl, CURLOPT_URL, bare);
    CHECK(perform(curl, right, &a, &connected) == CINCH_CAUSE_BAD_SETTING);
    curl_easy_cleanup(curl);
}

static void check_misuse(cinch_context *right)
{
    cinch_error err = CINCH_ERROR_INIT;
    CURL *curl = curl_easy_init();

    CHECK(cinch_curl_use(curl, NULL, &err) == CINCH_FAILED && err.cause == CINCH_CAUSE_MISUSE);
    CHECK(cinch_curl_perform(curl, right, &err) == CINCH_FAILED && err.cause == CINCH_CAUSE_MISUSE);
    cinch_error_clear(&err);
    CHECK(cinch_curl_use(NULL, right, &err) == CINCH_FAILED && err.cause == CINCH_CAUSE_MISUSE);
    curl_easy_cleanup(curl);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    (void)snprintf(url, sizeof url, "https://localhost:%s/tls", argv[3]);
    (void)snprintf(bare, sizeof bare, "localhost:%s/tls", argv[3]);
    (void)snprintf(by_address, sizeof by_address, "https://127.0.0.1:%s/tls", argv[3]);
    cinch_context *right = trusting(argv[1]), *wrong = trusting(argv[2]);
    check_connections(right, wrong, argv[1]);
    check_sessions(right, wrong);
    check_copies(right, wrong);
    check_multi(right, wrong);
    check_addresses(right);
    check_misuse(right);
    cinch_context_free(right);
    cinch_context_free(wrong);
    curl_global_cleanup();
    return failures == 0 ? 0 : 1;
}
