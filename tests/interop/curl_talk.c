/*
 * curl_talk ANCHOR [NAME=VALUE...] URL: one transfer of libcurl with a context that trusts ANCHOR. The
 * body goes to standard output, or the error as JSON, with its exit code. What can be set is in set().
 */
#include <cinch/cinch.h>
#include <cinch/curl.h>
#include <stdio.h>
#include <string.h>

typedef struct talk {
    CURL *curl;
    cinch_context *ctx;
    struct curl_slist *to, *resolve;
    const char *upload;
    cinch_error err;
} talk;

static size_t read_upload(char *buf, size_t size, size_t count, void *arg)
{
    const char **left = arg;
    size_t n = strlen(*left) < size * count ? strlen(*left) : size * count;

    memcpy(buf, *left, n);
    *left += n;
    return n;
}

static void set_upload(talk *t, const char *text)
{
    t->upload = text;
    curl_easy_setopt(t->curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(t->curl, CURLOPT_READFUNCTION, read_upload);
    curl_easy_setopt(t->curl, CURLOPT_READDATA, &t->upload);
}

static void set(talk *t, const char *name, const char *value)
{
    if (strcmp(name, "identity") == 0)
        (void)cinch_context_identity_file(t->ctx, value, NULL, &t->err);
    else if (strcmp(name, "crl") == 0)
        (void)cinch_context_crl_file(t->ctx, value, &t->err);
    else if (strcmp(name, "policy") == 0)
        (void)cinch_context_policy_named(t->ctx, value, &t->err);
    else if (strcmp(name, "alpn") == 0)
        (void)cinch_context_alpn(t->ctx, value, &t->err);
    else if (strcmp(name, "upload") == 0)
        set_upload(t, value);
    else if (strcmp(name, "user") == 0)
        curl_easy_setopt(t->curl, CURLOPT_USERPWD, value);
    else if (strcmp(name, "follow") == 0)
        curl_easy_setopt(t->curl, CURLOPT_FOLLOWLOCATION, 1L);
    else if (strcmp(name, "careless") == 0) {
        /* As in much that can be found on the web. It comes to nothing. */
        curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYPEER, 0L);
        curl_easy_setopt(t->curl, CURLOPT_SSL_VERIFYHOST, 0L);
        curl_easy_setopt(t->curl, CURLOPT_USE_SSL, (long)CURLUSESSL_TRY);
    } else if (strcmp(name, "resolve") == 0) {
        t->resolve = curl_slist_append(t->resolve, value);
        curl_easy_setopt(t->curl, CURLOPT_RESOLVE, t->resolve);
    } else if (strcmp(name, "to") == 0) {
        t->to = curl_slist_append(t->to, value);
        curl_easy_setopt(t->curl, CURLOPT_MAIL_FROM, "bob@example.test");
        curl_easy_setopt(t->curl, CURLOPT_MAIL_RCPT, t->to);
    }
}

int main(int argc, char **argv)
{
    talk t = {.err = CINCH_ERROR_INIT};
    char text[4096], name[32];

    if (argc < 3)
        return 2;
    t.curl = curl_easy_init();
    t.ctx = cinch_context_client(&t.err);
    (void)cinch_context_trust_file(t.ctx, argv[1], &t.err);
    for (int i = 2; i < argc - 1; i++) {
        const char *value = strchr(argv[i], '=');

        (void)snprintf(name, sizeof name, "%.*s", (int)(value - argv[i]), argv[i]);
        set(&t, name, value + 1);
    }
    curl_easy_setopt(t.curl, CURLOPT_URL, argv[argc - 1]);
    (void)cinch_curl_perform(t.curl, t.ctx, &t.err);
    curl_easy_cleanup(t.curl);
    curl_slist_free_all(t.to);
    curl_slist_free_all(t.resolve);
    cinch_context_free(t.ctx);
    if (!cinch_error_is_set(&t.err))
        return 0;
    (void)cinch_error_json(&t.err, text, sizeof text);
    puts(text);
    return cinch_error_exit_code(&t.err);
}
