/* ca_name.c: names in certificates (RFC 5280, 4.2.1.6). */
#include "ca.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <idn2.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST_NAME 253
#define LONGEST_LABEL 63

/* Letters, digits and hyphens, no hyphen at either end (RFC 1123, 2.1). */
static bool is_label(const char *label, size_t length)
{
    if (length == 0 || length > LONGEST_LABEL || label[0] == '-' || label[length - 1] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        if (!isalnum((unsigned char)label[i]) && label[i] != '-')
            return false;
    }
    return true;
}

/* Also refuses a last label of digits only: "192.168.1" is a mistyped address. */
static bool is_host_name(const char *name)
{
    const char *label = name;

    if (strlen(name) > LONGEST_NAME)
        return false;
    for (;;) {
        size_t length = strcspn(label, ".");

        if (!is_label(label, length))
            return false;
        if (label[length] == '\0')
            return strspn(label, "0123456789") != length;
        label += length + 1;
    }
}

char *ca_ascii_name(const char *name, cinch_error *err)
{
    bool wildcard = strncmp(name, "*.", 2) == 0;
    const char *plain = wildcard ? name + 2 : name;
    char *ascii = NULL;
    char *result = NULL;
    int code = idn2_to_ascii_8z(plain, &ascii, IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);

    for (char *c = ascii; code == IDN2_OK && *c != '\0'; c++)
        *c = (char)tolower((unsigned char)*c);
    if (code != IDN2_OK || !is_host_name(ascii)) {
        cli_fail(err, CINCH_CAUSE_BAD_HOST_NAME,
                 "give a name such as localhost or *.example.test, or an address such as 127.0.0.1 "
                 "or ::1; for a client also user@example.test or a URI",
                 "%s is not a name that a certificate can be for%s%s", name,
                 code != IDN2_OK ? ": " : "", code != IDN2_OK ? idn2_strerror(code) : "");
    } else if (wildcard && strchr(ascii, '.') == NULL) {
        cli_fail(err, CINCH_CAUSE_BAD_HOST_NAME, "put at least two labels behind the asterisk",
                 "%s stands for a whole top-level domain, which no client accepts", name);
    } else {
        result = cli_text("%s%s", wildcard ? "*." : "", ascii);
    }
    idn2_free(ascii);
    return result;
}

static bool push(GENERAL_NAMES *names, GENERAL_NAME *name)
{
    if (name != NULL && sk_GENERAL_NAME_push(names, name) > 0)
        return true;
    GENERAL_NAME_free(name);
    return false;
}

/* An entry whose value is an IA5String: DNS name, e-mail address or URI. */
static GENERAL_NAME *text_name(int type, const char *text)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();

    if (name == NULL || value == NULL || ASN1_STRING_set(value, text, -1) != 1) {
        ASN1_IA5STRING_free(value);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, type, value);
    return name;
}

static GENERAL_NAME *address_name(const unsigned char *address, int size)
{
    GENERAL_NAME *name = GENERAL_NAME_new();
    ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();

    if (name == NULL || value == NULL || ASN1_OCTET_STRING_set(value, address, size) != 1) {
        ASN1_OCTET_STRING_free(value);
        GENERAL_NAME_free(name);
        return NULL;
    }
    GENERAL_NAME_set0_value(name, GEN_IPADD, value);
    return name;
}

static bool is_printable_ascii(const char *text)
{
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text <= ' ' || (unsigned char)*text > '~')
            return false;
    }
    return true;
}

static bool add_for_client(GENERAL_NAMES *names, const char *name, bool client, cinch_error *err)
{
    bool uri = strstr(name, "://") != NULL;
    GENERAL_NAME *entry;

    if (!client)
        return cli_fail(err, CINCH_CAUSE_BAD_SETTING, "add --client",
                        "%s is a name of a client, not of a server", name);
    if (!is_printable_ascii(name) || name[0] == '@' || name[0] == ':')
        return cli_fail(err, CINCH_CAUSE_BAD_HOST_NAME, "use ASCII letters without spaces",
                        "%s is not a name that a certificate can be for", name);
    entry = text_name(uri ? GEN_URI : GEN_EMAIL, name);
    return push(names, entry) || cli_fail_crypto(err, "writing a name");
}

static bool add_name(GENERAL_NAMES *names, const char *name, bool client, cinch_error *err)
{
    unsigned char address[16];
    GENERAL_NAME *entry;
    char *ascii;

    if (strchr(name, '@') != NULL || strstr(name, "://") != NULL)
        return add_for_client(names, name, client, err);
    if (inet_pton(AF_INET, name, address) == 1) {
        entry = address_name(address, 4);
    } else if (inet_pton(AF_INET6, name, address) == 1) {
        entry = address_name(address, 16);
    } else {
        ascii = ca_ascii_name(name, err);
        if (ascii == NULL)
            return false;
        entry = text_name(GEN_DNS, ascii);
        free(ascii);
    }
    return push(names, entry) || cli_fail_crypto(err, "writing a name");
}

bool ca_add_names(X509 *cert, const ca_request *request, cinch_error *err)
{
    GENERAL_NAMES *names = sk_GENERAL_NAME_new_null();
    bool ok = names != NULL;

    if (!ok)
        cli_fail_crypto(err, "writing names");
    for (size_t i = 0; ok && i < request->count; i++)
        ok = add_name(names, request->names[i], request->client, err);
    if (ok && X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, X509V3_ADD_DEFAULT) != 1)
        ok = cli_fail_crypto(err, "writing names");
    GENERAL_NAMES_free(names);
    return ok;
}
