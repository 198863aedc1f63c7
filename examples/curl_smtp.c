/*
 * curl_smtp URL FROM TO [ANCHORS] <MESSAGE: sends a mail that is on standard input. The URL is
 * smtp://HOST:587 (STARTTLS, which is insisted on) or smtps://HOST (TLS from the start).
 */
#include <cinch/cinch.h>
#include <cinch/curl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 4) {
        fprintf(stderr, "usage: curl_smtp URL FROM TO [ANCHORS] <MESSAGE\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 4)
        cinch_context_trust_file(ctx, argv[4], &err);

    CURL *curl = curl_easy_init();
    struct curl_slist *to = curl_slist_append(NULL, argv[3]);
    curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
    curl_easy_setopt(curl, CURLOPT_MAIL_FROM, argv[2]);
    curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(curl, CURLOPT_READDATA, stdin);
    cinch_curl_perform(curl, ctx, &err);

    curl_easy_cleanup(curl);
    curl_slist_free_all(to);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
