/* x509_text.h: single parts of a certificate as text. All results are cleaned and fit into BUF. */
#ifndef CINCH_BASE_X509_TEXT_H
#define CINCH_BASE_X509_TEXT_H

#include "base/arena.h"

#include <cinch/certificate.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#define CINCH_NAME_TEXT 1024

/* cinch_name_text writes NAME as RFC 4514 has it. Returns BUF. */
char *cinch_name_text(const X509_NAME *name, char *buf, size_t size);

/* cinch_name_common writes the last common name of NAME, "" if there is none. Returns BUF. */
char *cinch_name_common(const X509_NAME *name, char *buf, size_t size);

/* cinch_general_name_text writes NAME and returns its kind. */
cinch_name_kind cinch_general_name_text(const GENERAL_NAME *name, char *buf, size_t size);

/* cinch_x509_serial writes the serial number in hexadecimal. Returns BUF. */
char *cinch_x509_serial(const X509 *x, char *buf, size_t size);

/* cinch_x509_access writes the first URL of METHOD in authorityInfoAccess, or "". Returns BUF. */
char *cinch_x509_access(const X509 *x, int method, char *buf, size_t size);

/* cinch_x509_key writes the kind of the public key and its group, and returns its size in bits. */
int cinch_x509_key(const X509 *x, char *type, size_t type_size, char *group, size_t group_size);

/* cinch_asn1_seconds gives TIME as seconds since 1970 UTC: 1, or 0 if it cannot be read. */
int cinch_asn1_seconds(const ASN1_TIME *time, int64_t *out);

/* cinch_x509_is_ca tells whether basicConstraints says CA. */
int cinch_x509_is_ca(const X509 *x);

#endif
