/*
 * curl_pop3 HOST[:PORT] USER [ANCHORS]: prints all mails, with the password from standard input. Two
 * transfers, one context and one connection: the list, and then each mail.
 */
#include <cinch/cinch.h>
#include <cinch/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Which numbers there are: the lines of the list begin with them. */
typedef struct list {
    char text[4096];
    size_t size;
} list;

static size_t keep(char *data, size_t size, size_t count, void *arg)
{
    list *l = arg;
    size_t n = size * count;

    if (n > sizeof l->text - 1 - l->size)
        return 0;
    memcpy(l->text + l->size, data, n);
    l->size += n;
    return n;
}

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    char url[300], password[256];
    list mails = {.size = 0};

    if (argc < 3 || fgets(password, sizeof password, stdin) == NULL) {
        fprintf(stderr, "usage: curl_pop3 HOST[:PORT] USER [ANCHORS] <PASSWORD\n");
        return 2;
    }
    password[strcspn(password, "\n")] = 0;
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);

    CURL *curl = curl_easy_init();
    (void)snprintf(url, sizeof url, "pop3s://%s/", argv[1]);
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_USERNAME, argv[2]);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, keep);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &mails);
    cinch_curl_perform(curl, ctx, &err);

    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, NULL);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, stdout);
    for (const char *line = mails.text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
        (void)snprintf(url, sizeof url, "pop3s://%s/%ld", argv[1], strtol(line, NULL, 10));
        curl_easy_setopt(curl, CURLOPT_URL, url);
        cinch_curl_perform(curl, ctx, &err);
    }

    curl_easy_cleanup(curl);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
