/* json.c: certificates, peers and errors as JSON. */
#include "json.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY 86400

json_t *cli_json_text(const char *text)
{
    json_t *value = json_string(text != NULL ? text : "");

    /* Not UTF-8, though libcinch promises it: show that something was there. */
    return value != NULL ? value : json_string("?");
}

static void set_text(json_t *object, const char *name, const char *text)
{
    json_object_set_new(object, name, cli_json_text(text));
}

static void set_number(json_t *object, const char *name, json_int_t number)
{
    json_object_set_new(object, name, json_integer(number));
}

json_t *cli_json_error(const cinch_error *err)
{
    size_t size = cinch_error_json(err, NULL, 0) + 1;
    char *text = cli_alloc(size);
    json_t *value;

    cinch_error_json(err, text, size);
    value = json_loads(text, 0, NULL);
    free(text);
    return value != NULL ? value : json_object();
}

/* RFC 3339. */
static void set_time(json_t *object, const char *name, int64_t when)
{
    time_t seconds = (time_t)when;
    char text[40] = "";
    struct tm tm;

    if (gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    set_text(object, name, text);
}

static void set_digest(json_t *object, const char *name, const unsigned char digest[32])
{
    char text[65];

    for (size_t i = 0; i < 32; i++)
        snprintf(text + 2 * i, 3, "%02x", digest[i]);
    set_text(object, name, text);
}

static json_t *names(const cinch_certificate *certificate)
{
    static const char *const kinds[] = {
        [CINCH_NAME_DNS] = "dns", [CINCH_NAME_IP] = "ip",       [CINCH_NAME_EMAIL] = "email",
        [CINCH_NAME_URI] = "uri", [CINCH_NAME_OTHER] = "other",
    };
    json_t *list = json_array();

    for (size_t i = 0; i < certificate->name_count; i++) {
        const cinch_name *name = &certificate->names[i];
        json_t *entry = json_object();
        size_t kind = (size_t)name->kind;
        bool known = kind < sizeof(kinds) / sizeof(kinds[0]) && kinds[kind] != NULL;

        set_text(entry, "kind", known ? kinds[kind] : "other");
        set_text(entry, "name", name->text);
        json_array_append_new(list, entry);
    }
    return list;
}

static json_t *certificate_json(const cinch_certificate *certificate)
{
    int64_t now = (int64_t)time(NULL);
    json_t *object = json_object();

    set_text(object, "subject", certificate->subject);
    set_text(object, "issuer", certificate->issuer);
    set_text(object, "serial", certificate->serial);
    set_time(object, "not_before", certificate->not_before);
    set_time(object, "not_after", certificate->not_after);
    /* Rounded down: -1 is "expired less than a day ago". */
    set_number(object, "days_left",
               (certificate->not_after - now) / DAY - (certificate->not_after < now));
    json_object_set_new(object, "names", names(certificate));
    json_object_set_new(object, "is_ca", json_boolean(certificate->is_ca));
    set_text(object, "key_type", certificate->key_type);
    set_text(object, "key_group", certificate->key_group);
    set_number(object, "key_bits", certificate->key_bits);
    set_text(object, "signature_algorithm", certificate->signature_algorithm);
    set_digest(object, "sha256", certificate->sha256);
    set_digest(object, "spki_sha256", certificate->spki_sha256);
    return object;
}

static json_t *certificates(cinch_certificate *const *list, size_t count)
{
    json_t *array = json_array();

    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, certificate_json(list[i]));
    return array;
}

/* A step that was not reached is null. */
static json_t *timing(const cinch_timing *times)
{
    const struct {
        const char *name;
        int64_t us;
    } steps[] = {
        {"dns", times->resolved_us},      {"tcp", times->connected_us},
        {"hello", times->hello_us},       {"certificate", times->certificate_us},
        {"finished", times->finished_us},
    };
    json_t *object = json_object();

    for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
        json_object_set_new(object, steps[i].name,
                            steps[i].us >= 0 ? json_integer(steps[i].us) : json_null());
    return object;
}

json_t *cli_json_peer(const cinch_peer *peer)
{
    json_t *object = json_object();

    if (peer == NULL)
        return object;
    set_text(object, "version", peer->version);
    set_text(object, "cipher", peer->cipher);
    set_number(object, "cipher_bits", peer->cipher_bits);
    set_text(object, "group", peer->group);
    set_text(object, "signature_algorithm", peer->signature_algorithm);
    set_text(object, "alpn", peer->alpn);
    set_text(object, "server_name", peer->server_name);
    json_object_set_new(object, "resumed", json_boolean(peer->resumed));
    json_object_set_new(object, "verified", json_boolean(peer->verified));
    json_object_set_new(object, "chain", certificates(peer->chain, peer->chain_count));
    json_object_set_new(object, "sent", certificates(peer->sent, peer->sent_count));
    json_object_set_new(object, "microseconds", timing(&peer->timing));
    return object;
}

void cli_json_print(json_t *value, FILE *out)
{
    char *text = json_dumps(value, JSON_COMPACT);

    json_decref(value);
    if (text == NULL) {
        /* Everything here is UTF-8 and finite: only memory can be missing. */
        fputs("cinch: out of memory\n", stderr);
        exit(CLI_OTHER); // NOLINT(concurrency-mt-unsafe): nothing can be cleaned up any more
    }
    fprintf(out, "%s\n", text);
    fflush(out);
    free(text);
}
