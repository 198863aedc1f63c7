/* profile_names.c: the rules on alternative names and on name constraints. */
#include "context/profile.h"

#include <openssl/x509v3.h>
#include <string.h>

static const char alternative[] = "RFC 5280, 4.2.1.6";
static const char constrained[] = "RFC 5280, 4.2.1.10";

static int is_letter_or_digit(unsigned char c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/*
 * Labels of 1 to 63 letters, digits, hyphens and, as they are in use, underscores (RFC 1034, 3.5); a
 * wildcard only as the whole first label with one behind it. By length: a NUL is just no letter.
 */
int cinch_is_dns_name(const unsigned char *text, size_t size, int wildcard)
{
    size_t length = 0;

    if (wildcard && size > 2 && text[0] == '*' && text[1] == '.') {
        text += 2;
        size -= 2;
    }
    if (size < 1 || size > 253)
        return 0;
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '.') {
            if (length == 0 || text[i - 1] == '-')
                return 0;
            length = 0;
            continue;
        }
        if (!is_letter_or_digit(text[i]) && text[i] != '_' && (text[i] != '-' || length == 0))
            return 0;
        if (++length > 63)
            return 0;
    }
    return length > 0 && text[size - 1] != '-';
}

/* A mailbox of RFC 5321, 4.1.2, without quoted local parts: one @, visible ASCII around it. */
int cinch_is_mailbox(const unsigned char *text, size_t size)
{
    size_t at = 0, count = 0;

    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~' || strchr("()<>,;:\\\"[]", text[i]) != NULL)
            return 0;
        if (text[i] == '@') {
            at = i;
            count++;
        }
    }
    return count == 1 && at > 0 && cinch_is_dns_name(text + at + 1, size - at - 1, 0);
}

/*
 * Behind "//" stand a host and perhaps a port, up to a slash or the end. A user before the host, or a
 * query right behind it, is read as part of the host by OpenSSL, past any name constraint.
 */
static int is_authority_clear(const unsigned char *text, size_t size)
{
    size_t i = 2;

    if (size < 2 || text[0] != '/' || text[1] != '/')
        return 1;
    while (i < size && text[i] != '/' && text[i] != '@' && text[i] != '?' && text[i] != '#')
        i++;
    return i == size || text[i] == '/';
}

/* A scheme, a colon, and something behind it in visible ASCII (RFC 3986, 3). */
static int is_uri(const unsigned char *text, size_t size)
{
    const unsigned char *colon = size == 0 ? NULL : memchr(text, ':', size);

    if (colon == NULL || colon == text || colon == text + size - 1 || !is_letter_or_digit(text[0]))
        return 0;
    for (const unsigned char *at = text; at < text + size; at++) {
        if (*at <= ' ' || *at > '~')
            return 0;
        if (at < colon && !is_letter_or_digit(*at) && *at != '+' && *at != '-' && *at != '.')
            return 0;
    }
    return is_authority_clear(colon + 1, (size_t)(text + size - colon - 1));
}

/* What is wrong with an alternative name; NULL: nothing. */
static const char *fault_of_name(const GENERAL_NAME *name)
{
    const ASN1_STRING *value = NULL;

    switch (name->type) {
    case GEN_DNS:
    case GEN_EMAIL:
    case GEN_URI:
    case GEN_IPADD:
        value = GENERAL_NAME_get0_value(name, NULL);
        break;
    default:
        return NULL;
    }
    const unsigned char *text = ASN1_STRING_get0_data(value);
    size_t size = (size_t)ASN1_STRING_length(value);
    if (name->type == GEN_IPADD)
        return size == 4 || size == 16 ? NULL : "an iPAddress that is not of 4 or 16 bytes";
    if (name->type == GEN_DNS)
        return cinch_is_dns_name(text, size, 1) ? NULL : "a dNSName that is none";
    if (name->type == GEN_EMAIL)
        return cinch_is_mailbox(text, size) ? NULL : "an rfc822Name that is no mailbox";
    return is_uri(text, size) ? NULL : "a uniformResourceIdentifier that is none";
}

static int check_names(const cinch_suspect *s, const GENERAL_NAMES *names)
{
    if (sk_GENERAL_NAME_num(names) < 1)
        return cinch_broken(s, CINCH_RULE_SUBJECT_ALT_NAME, alternative,
                            "its subjectAltName is empty or damaged");
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const char *fault = fault_of_name(sk_GENERAL_NAME_value(names, i));

        if (fault != NULL)
            return cinch_broken(s, CINCH_RULE_SUBJECT_ALT_NAME, alternative,
                                "its subjectAltName has %s (number %d)", fault, i + 1);
    }
    return 1;
}

int cinch_rule_subject_alt_name(const cinch_suspect *s)
{
    int there, critical;
    int anonymous = X509_NAME_entry_count(X509_get_subject_name(s->x)) < 1;
    int is_server = s->is_leaf && !s->settings->is_server;
    GENERAL_NAMES *names = cinch_extension(s->x, NID_subject_alt_name, &there, &critical);
    int good = !there || (s->is_anchor && !s->is_leaf) || check_names(s, names);

    GENERAL_NAMES_free(names);
    if (!good)
        return 0;
    if (!there && s->is_leaf && (is_server || anonymous))
        return cinch_broken(s, CINCH_RULE_SUBJECT_ALT_NAME, alternative,
                            "it has no subjectAltName%s", anonymous ? " and an empty subject" : "");
    if (there && anonymous && !critical)
        return cinch_broken(s, CINCH_RULE_SUBJECT_ALT_NAME, alternative,
                            "its subject is empty and its subjectAltName is not critical");
    if (there && is_server && !anonymous && critical)
        return cinch_broken(s, CINCH_RULE_SUBJECT_ALT_NAME, "BR, 7.1.2.7.12",
                            "its subjectAltName is critical though it has a subject");
    return 1;
}

/* An address and a mask of ones, then zeros (RFC 4632). */
static int is_network(const unsigned char *bytes, size_t size)
{
    int ended = 0;

    if (size != 8 && size != 32)
        return 0;
    for (size_t i = size / 2; i < size; i++)
        for (int bit = 7; bit >= 0; bit--) {
            int set = bytes[i] >> bit & 1;

            if (set && ended)
                return 0;
            ended |= !set;
        }
    return 1;
}

/* A host, or everything below it with a dot in front, which only URIs and mail may have. */
static int is_host_or_below(const unsigned char *text, size_t size)
{
    size_t dot = size > 0 && text[0] == '.';

    return cinch_is_dns_name(text + dot, size - dot, 0);
}

static const char *fault_of_constraint(const GENERAL_NAME *name)
{
    const ASN1_STRING *value = GENERAL_NAME_get0_value(name, NULL);

    if (name->type != GEN_DNS && name->type != GEN_EMAIL && name->type != GEN_URI &&
        name->type != GEN_IPADD)
        return NULL;
    const unsigned char *text = ASN1_STRING_get0_data(value);
    size_t size = (size_t)ASN1_STRING_length(value);
    if (name->type == GEN_IPADD)
        return is_network(text, size) ? NULL : "an iPAddress that is no network with its mask";
    /* Empty is the root of all names: "none at all" when excluded. */
    if (name->type == GEN_DNS)
        return size == 0 || cinch_is_dns_name(text, size, 0)
                   ? NULL
                   : "a dNSName that is none, or has a dot or wildcard in front";
    if (name->type == GEN_EMAIL)
        return size == 0 || cinch_is_mailbox(text, size) || is_host_or_below(text, size)
                   ? NULL
                   : "an rfc822Name that is neither mailbox nor host";
    return size == 0 || is_host_or_below(text, size)
               ? NULL
               : "a uniformResourceIdentifier that is no host";
}

static int check_subtrees(const cinch_suspect *s, const STACK_OF(GENERAL_SUBTREE) * subtrees)
{
    for (int i = 0; i < sk_GENERAL_SUBTREE_num(subtrees); i++) {
        const GENERAL_SUBTREE *subtree = sk_GENERAL_SUBTREE_value(subtrees, i);
        const char *fault = fault_of_constraint(subtree->base);

        if (subtree->maximum != NULL ||
            (subtree->minimum != NULL && ASN1_INTEGER_get(subtree->minimum) != 0))
            fault = "a minimum or maximum";
        if (fault != NULL)
            return cinch_broken(s, CINCH_RULE_NAME_CONSTRAINTS, constrained,
                                "its nameConstraints have %s", fault);
    }
    return 1;
}

int cinch_rule_name_constraints(const cinch_suspect *s)
{
    int there, good;
    NAME_CONSTRAINTS *nc = cinch_extension(s->x, NID_name_constraints, &there, NULL);

    if (!there)
        return cinch_wildcards_hold(s);
    if (nc == NULL)
        return cinch_broken(s, CINCH_RULE_NAME_CONSTRAINTS, constrained,
                            "its nameConstraints cannot be read");
    /* A list that is there holds at least one (GeneralSubtrees, SIZE (1..MAX)). */
    if (s->is_leaf && !s->is_anchor)
        good = cinch_broken(s, CINCH_RULE_NAME_CONSTRAINTS, constrained,
                            "it is no CA and has nameConstraints");
    else if ((nc->permittedSubtrees == NULL && nc->excludedSubtrees == NULL) ||
             (nc->permittedSubtrees != NULL && sk_GENERAL_SUBTREE_num(nc->permittedSubtrees) < 1) ||
             (nc->excludedSubtrees != NULL && sk_GENERAL_SUBTREE_num(nc->excludedSubtrees) < 1))
        good = cinch_broken(s, CINCH_RULE_NAME_CONSTRAINTS, constrained,
                            "its nameConstraints are empty");
    else
        good = check_subtrees(s, nc->permittedSubtrees) && check_subtrees(s, nc->excludedSubtrees);
    NAME_CONSTRAINTS_free(nc);
    return good && cinch_wildcards_hold(s);
}
