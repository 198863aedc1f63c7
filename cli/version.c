/* version.c: cinch version. */
#define _DEFAULT_SOURCE /* u_int and u_char, which pcap.h wants */
#include "cli.h"

#include <getopt.h>
#include <http_parser.h>
#include <idn2.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <pcap/pcap.h>

static const cli_option options[] = {
    {'v', "verbose", NULL,
     "and of the libraries in use; whose AES-GCM and keys; known policies"},
    {0},
};

static int run(int argc, char **argv)
{
    bool verbose = false;
    int key;

    while ((key = cli_next(&version_command, argc, argv)) != CLI_END) {
        if (key < 0)
            return cli_stop(key);
        verbose = true;
    }
    if (optind < argc)
        return cli_usage(&version_command, "unexpected argument %s", argv[optind]);
    printf("cinch %s\n", cinch_version());
    if (!verbose)
        return 0;
    printf("libcinch     %s (headers %s)\n", cinch_version(), CINCH_VERSION_STRING);
    printf("libcrypto    %s\n", OpenSSL_version(OPENSSL_VERSION));
    printf("AES-GCM      %s\n", cinch_version_accel());
    printf("keys         %s\n", cinch_version_keys());
    printf("libidn2      %s\n", idn2_check_version(NULL));
    printf("jansson      %s\n", JANSSON_VERSION);
    printf("http-parser  %d.%d.%d\n", HTTP_PARSER_VERSION_MAJOR, HTTP_PARSER_VERSION_MINOR,
           HTTP_PARSER_VERSION_PATCH);
    printf("libpcap      %s\n", pcap_lib_version());
    printf("policies    ");
    for (size_t i = 0; cinch_policy_list(i) != NULL; i++)
        printf(" %s", cinch_policy_list(i));
    putchar('\n');
    return 0;
}

const cli_command version_command = {
    "version", "[--verbose]", "print the version", NULL, options, run,
};
