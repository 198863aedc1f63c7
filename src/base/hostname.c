#include "base/hostname.h"

#include "base/fail.h"

#include <arpa/inet.h>
#include <idn2.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

static int is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

/*
 * The last label decides: a name whose last label is a number would be read as an address by some
 * resolvers ("127.1", "0x7f000001"), so it is neither (RFC 3696, 2; WHATWG URL calls it the same).
 */
static int ends_in_number(const char *name)
{
    const char *label = strrchr(name, '.');

    label = label == NULL ? name : label + 1;
    if (label[0] == '0' && (label[1] == 'x' || label[1] == 'X'))
        return 1;
    for (; *label != 0; label++)
        if (!is_digit(*label))
            return 0;
    return 1;
}

/* Letters, digits, hyphens and underscores (which are in use), labels of 1 to 63 bytes (RFC 1035). */
static int is_name(const char *name)
{
    size_t length = 0;

    if (*name == 0 || strlen(name) > 253)
        return 0;
    for (const char *at = name;; at++) {
        if (*at == '.' || *at == 0) {
            if (length == 0 || length > 63 || at[-1] == '-')
                return 0;
            if (*at == 0)
                return 1;
            length = 0;
            continue;
        }
        if (!is_letter(*at) && !is_digit(*at) && *at != '_' && (*at != '-' || length == 0))
            return 0;
        length++;
    }
}

static int parse_address(cinch_host *host, const char *text)
{
    char bare[INET6_ADDRSTRLEN + 1];
    size_t length = strlen(text);

    if (inet_pton(AF_INET, text, host->ip) == 1) {
        host->ip_size = 4;
    } else {
        if (length > 2 && text[0] == '[' && text[length - 1] == ']') {
            text++;
            length -= 2;
        }
        if (length >= sizeof bare)
            return 0;
        memcpy(bare, text, length);
        bare[length] = 0;
        if (inet_pton(AF_INET6, bare, host->ip) != 1)
            return 0;
        host->ip_size = 16;
    }
    return inet_ntop(host->ip_size == 4 ? AF_INET : AF_INET6, host->ip, host->text,
                     sizeof host->text) != NULL;
}

static int is_ascii(const char *text)
{
    for (; *text != 0; text++)
        if ((unsigned char)*text >= 0x80)
            return 0;
    return 1;
}

/* A-labels in lower case; 0 or why not. */
static const char *to_ascii(const char *text, char out[static CINCH_HOST_TEXT])
{
    if (is_ascii(text)) {
        size_t length = strlen(text);

        if (length >= CINCH_HOST_TEXT)
            return "it is longer than 253 characters";
        for (size_t i = 0; i <= length; i++)
            out[i] = lower(text[i]);
        return NULL;
    }
    char *converted = NULL;
    int result = idn2_to_ascii_8z(text, &converted, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
    if (result != IDN2_OK)
        return idn2_strerror(result);
    size_t length = strlen(converted);
    if (length < CINCH_HOST_TEXT)
        memcpy(out, converted, length + 1);
    idn2_free(converted);
    return length < CINCH_HOST_TEXT ? NULL : "it is longer than 253 characters";
}

cinch_status cinch_host_parse(cinch_host *host, const char *text, cinch_error *err)
{
    *host = (cinch_host){0};
    if (text == NULL || *text == 0)
        return cinch_fail(err, CINCH_CAUSE_NO_HOST_NAME, "no host name was given");
    if (parse_address(host, text))
        return CINCH_OK;

    host->ip_size = 0;
    const char *why = to_ascii(text, host->text);
    if (why == NULL) {
        size_t length = strlen(host->text);

        /* "example.com." is the same host; certificates name it without the dot. */
        if (length > 1 && host->text[length - 1] == '.')
            host->text[length - 1] = 0;
        if (!is_name(host->text))
            why = "a name has letters, digits and hyphens in labels of 1 to 63 characters";
        else if (ends_in_number(host->text))
            why = "it looks like an address and is not one of four decimal parts";
    }
    if (why == NULL)
        return CINCH_OK;
    *host = (cinch_host){0};
    cinch_status status =
        cinch_fail(err, CINCH_CAUSE_BAD_HOST_NAME, "\"%s\" is not a host name or address", text);
    cinch_fail_evidence(err, "%s", why);
    return status;
}

static int same_letters(const char *a, const char *b, size_t size)
{
    for (size_t i = 0; i < size; i++)
        if (lower(a[i]) != lower(b[i]))
            return 0;
    return 1;
}

/*
 * RFC 9525, 6.3: names are compared label by label without regard to case; a wildcard is the whole
 * left-most label, stands for exactly one label, and leaves at least two behind it. The length
 * counts, never a NUL (CVE-2009-2417), and the time taken is linear (CVE-2013-2099).
 */
int cinch_host_covers(const cinch_host *host, const char *pattern, size_t size)
{
    const char *name = host->text;
    size_t length = strlen(name);

    if (host->ip_size != 0 || length == 0 || size == 0)
        return 0;
    if (pattern[0] != '*')
        return size == length && memchr(pattern, '*', size) == NULL &&
               same_letters(name, pattern, size);
    if (size < 4 || pattern[1] != '.' || memchr(pattern + 1, '*', size - 1) != NULL ||
        pattern[size - 1] == '.' || memchr(pattern + 2, '.', size - 2) == NULL)
        return 0;
    const char *rest = strchr(name, '.');
    return rest != NULL && rest != name && strlen(rest) == size - 1 &&
           same_letters(rest, pattern + 1, size - 1);
}

static int name_matches(const cinch_host *host, const GENERAL_NAME *name)
{
    const ASN1_STRING *value;

    if (host->ip_size == 0) {
        if (name->type != GEN_DNS)
            return 0;
        value = name->d.dNSName;
        return ASN1_STRING_length(value) > 0 &&
               cinch_host_covers(host, (const char *)ASN1_STRING_get0_data(value),
                                 (size_t)ASN1_STRING_length(value));
    }
    if (name->type != GEN_IPADD)
        return 0;
    value = name->d.iPAddress;
    return ASN1_STRING_length(value) == host->ip_size &&
           memcmp(ASN1_STRING_get0_data(value), host->ip, (size_t)host->ip_size) == 0;
}

int cinch_host_matches(const cinch_host *host, const X509 *certificate)
{
    int matches = 0;
    /* NULL for "none", "two of them" and "cannot be read" alike: none of these is a match. */
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);

    for (int i = 0; !matches && i < sk_GENERAL_NAME_num(names); i++)
        matches = name_matches(host, sk_GENERAL_NAME_value(names, i));
    GENERAL_NAMES_free(names);
    return matches;
}
