/* curl_https URL [ANCHORS]: fetches it with libcurl, and says why if that fails. */
#include <cinch/cinch.h>
#include <cinch/curl.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    cinch_error err = CINCH_ERROR_INIT;

    if (argc < 2) {
        fprintf(stderr, "usage: curl_https URL [ANCHORS]\n");
        return 2;
    }
    cinch_context *ctx = cinch_context_client(&err); /* one for all transfers */
    if (argc > 2)
        cinch_context_trust_file(ctx, argv[2], &err);

    CURL *curl = curl_easy_init();
    curl_easy_setopt(curl, CURLOPT_URL, argv[1]);
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_FAILONERROR, 1L);
    cinch_curl_perform(curl, ctx, &err);

    curl_easy_cleanup(curl);
    cinch_context_free(ctx);
    return cinch_error_report(&err, stderr);
}
