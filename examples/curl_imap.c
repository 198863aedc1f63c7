/*
 * curl_imap HOST[:PORT] USER [ANCHORS]: prints the newest mail in the inbox, with the password from
 * standard input. It begins in clear and goes over to TLS (STARTTLS) before the password is sent, or
 * fails; with imaps:// for imap:// it would be TLS from the start.
 */
#include <cinch/cinch.h>
#include <cinch/curl.h>
#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;
    char url[300], password[256];

    if (argc < 3 || fgets(password, sizeof password, stdin) == NULL) {
        fprintf(stderr, "usage: curl_imap HOST[:PORT] USER [ANCHORS] <PASSWORD\n");
        return 2;
    }
    password[strcspn(password, "\n")] = 0;
    (void)snprintf(url, sizeof url, "imap://%s/INBOX;MAILINDEX=*", argv[1]);
    cinch_context *ctx = cinch_context_client(&err);
    if (argc > 3)
        cinch_context_trust_file(ctx, argv[3], &err);

    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, url);
    curl_easy_setopt(curl, CURLOPT_USERNAME, argv[2]);
    curl_easy_setopt(curl, CURLOPT_PASSWORD, password);
    cinch_curl_perform(curl, ctx, &err);

    curl_easy_cleanup(curl);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
