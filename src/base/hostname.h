/* hostname.h: names and addresses of hosts, and whether a certificate is for one (RFC 9525). */
#ifndef CINCH_BASE_HOSTNAME_H
#define CINCH_BASE_HOSTNAME_H

#include <cinch/error.h>
#include <openssl/x509.h>

#define CINCH_HOST_TEXT 256

/* Whom we talk to. */
typedef struct cinch_host {
    char text[CINCH_HOST_TEXT]; /* A-labels in lower case without a dot at the end, or an address */
    unsigned char ip[16];
    int ip_size; /* 0 for a name, 4 or 16 for an address */
} cinch_host;

/*
 * cinch_host_parse reads TEXT: a name in Unicode (RFC 5891, UTS 46 non-transitional) or ASCII, an
 * IPv4 address in four decimal parts, or an IPv6 address with or without brackets. Anything that
 * merely resembles one of these is an error (CINCH_CAUSE_BAD_HOST_NAME, _NO_HOST_NAME if empty).
 */
cinch_status cinch_host_parse(cinch_host *host, const char *text, cinch_error *err);

/* cinch_host_covers compares HOST (a name) with one dNSName PATTERN of SIZE bytes. 1 or 0. */
int cinch_host_covers(const cinch_host *host, const char *pattern, size_t size);

/*
 * cinch_host_matches tells whether CERTIFICATE is for HOST: 1 or 0, also 0 when its names cannot be
 * read or memory runs out. Only the subject alternative names count.
 */
int cinch_host_matches(const cinch_host *host, const X509 *certificate);

#endif
